"""`factory render`: the dag-factory YAML that is built."""

from pathlib import Path
from typing import Annotated

import typer
from rich.syntax import Syntax

from factory.cli.console import console
from factory.cli.options import ProjectOption
from factory.cli.project import dag_of, healthy_team


def render(
    name: Annotated[
        str,
        typer.Argument(
            help="A team, or one of its datasets, models or DAGs; or `maintenance`.",
            metavar="TEAM[.NAME]",
        ),
    ],
    project: ProjectOption = Path(),
) -> None:
    """Print the DAGs of a team as dag-factory YAML: exactly what is built.

    Plain dag-factory loads it (`dagfactory.load_yaml_dags(config_filepath=…)`).
    """
    from factory.catalog import read_all
    from factory.documents.compile import compile_platform, compile_team
    from factory.documents.installation import Installation
    from factory.documents.maintenance import MAINTENANCE
    from factory.documents.rendering import to_yaml
    from factory.team.environment import active_environment

    configs = project.resolve() / "configs"
    read = read_all(configs, active_environment())
    installation = Installation.of(read.platform, configs.parent)
    team, _, rest = name.partition(".")
    documents = compile_platform(read.platform, installation) if name == MAINTENANCE else {}
    if not documents:
        file = healthy_team(read, configs, team)
        documents = compile_team(file.team, installation)
    if rest:
        dag_id = dag_of(file, name)
        documents = {dag_id: documents[dag_id]}
    text = to_yaml(documents)
    if console.is_terminal:
        console.print(Syntax(text, "yaml", background_color="default"))
    else:
        # Not through Rich, which would break long lines: this is for files and pipes.
        typer.echo(text, nl=False)
