"""`factory replay`: what reads a dataset or a model hears of it once more."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from factory.cli.airflow_access import AirflowOption
from factory.cli.asset_event import tell_readers
from factory.cli.console import console, failed, failures_explained
from factory.cli.options import ProjectOption
from factory.cli.project import FULL_NAME, healthy_team, platform_of, registry_of
from factory.cli.storage import check_storage
from factory.runtime.lake_access import reaching

if TYPE_CHECKING:
    from factory.team.reader import TeamFile


def _asset(value: str) -> str:
    if not FULL_NAME.fullmatch(value):
        raise typer.BadParameter(
            f"{value!r} names neither a dataset nor a model: write TEAM.NAME, such as marine.penguins"
        )
    return value


def replay(
    name: Annotated[
        str,
        typer.Argument(help="A dataset or a model.", metavar="TEAM.NAME", callback=_asset),
    ],
    project: ProjectOption = Path(),
    airflow_url: AirflowOption = None,
) -> None:
    """Tell the readers of a dataset of its newest snapshot once more, or those of a model of its champion.

    For readers that were paused, or did not exist, when the event came. Whatever else reads it and is
    not paused runs once more, too.
    """
    from factory.catalog import read_all
    from factory.team.environment import active_environment

    home = project.resolve()
    configs = home / "configs"
    team, _, own = name.partition(".")
    file = healthy_team(read_all(configs, active_environment()), configs, team)
    if own in file.team.models:
        tell_readers(name, _champion(name, home), "the model", project, airflow_url)
    else:
        _check_published(file, own)
        tell_readers(name, _snapshot(name, home), "the dataset", project, airflow_url)


def _champion(name: str, project: Path) -> dict[str, Any]:
    with registry_of(project) as tracking:
        from factory.models import registry

        found = registry.champion(name, tracking=tracking)
    if found is None:
        raise failed(f"there is nothing to tell: no version of {name} is in production")
    console.print(f"{name}: version {found.number} is in production.", highlight=False)
    return {**found.as_event("promotion"), "reason": "replay"}


def _snapshot(name: str, project: Path) -> dict[str, Any]:
    from factory.documents.installation import Installation
    from factory.lake.snapshot import NoSnapshotError
    from factory.lake.table import Lake

    with failures_explained():
        check_storage(project)
        installation = Installation.of(platform_of(project).config, project)
        with reaching(installation.of_team(name.partition(".")[0]), project):
            try:
                snapshot = Lake(installation.storage).newest(name)
            except NoSnapshotError as error:
                raise failed(f"there is nothing to tell: {error}") from None
    console.print(
        f"{name}: version {snapshot.version}, {snapshot.rows:,} rows, is the newest.",
        highlight=False,
    )
    return {**snapshot.as_event(), "replayed": True}


def _check_published(team: "TeamFile", name: str) -> None:
    from factory.base.texts import did_you_mean
    from factory.catalog.published import published

    known = [*(one.name for one in published(team)), *team.team.models]
    if name not in known:
        near = did_you_mean(name, known, otherwise=f"there are {', '.join(known)}")
        raise failed(f"team {team.name} has neither a dataset nor a model {name!r}: {near}")
