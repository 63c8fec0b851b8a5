"""The command `factory`: one module a subcommand, registered here in the order of the help text.

Heavy imports (Airflow, pandas, scikit-learn, MLflow) belong inside the functions that need them:
`factory --help` and `factory validate` must answer at once.
"""

import typer

from factory.cli.champion import champion
from factory.cli.clean import clean
from factory.cli.demo import demo
from factory.cli.kinds import kinds
from factory.cli.render import render
from factory.cli.restore import restore
from factory.cli.rollback import rollback
from factory.cli.run import run
from factory.cli.schema import schema
from factory.cli.serve import serve
from factory.cli.up import up
from factory.cli.validate import validate

app = typer.Typer(
    name="factory",
    help="One YAML file a team: data-engineering and ML DAGs on Airflow, linked by datasets.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

for command in (
    demo,
    up,
    validate,
    render,
    run,
    serve,
    champion,
    rollback,
    restore,
    clean,
    kinds,
    schema,
):
    app.command()(command)
