"""Options that subcommands share; nothing heavy is imported for them."""

from pathlib import Path
from typing import Annotated

import typer

ProjectOption = Annotated[
    Path,
    typer.Option(
        "--project",
        "-C",
        help="The folder with configs/ and dags/.",
        file_okay=False,
        exists=True,
        envvar="FACTORY_PROJECT",
    ),
]
