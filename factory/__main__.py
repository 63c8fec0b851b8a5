"""`python -m factory` is the command `factory`."""

from factory.cli.main import app

app(prog_name="factory")
