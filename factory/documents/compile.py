"""A team's documents, all or by DAG id."""

from collections.abc import Callable
from functools import partial

from factory.documents.dag import Dag, Document, OwnDag
from factory.documents.dataset import dataset_document
from factory.documents.deployment import deployment_document, deployment_id
from factory.documents.installation import Installation
from factory.documents.maintenance import MAINTENANCE, maintenance_document
from factory.documents.monitoring import monitoring_document, monitoring_id
from factory.documents.prediction import prediction_document, prediction_id
from factory.documents.schedules import asset_data
from factory.documents.team_dag import notifiers
from factory.documents.training import training_document, training_id
from factory.team.own_assets import with_assets
from factory.team.team import PlatformConfig, TeamConfig


def dag_ids(team: TeamConfig) -> tuple[str, ...]:
    """The ids of a team's DAGs, in the order of the file."""
    return tuple(_makers(team))


def producer_id(team: TeamConfig, dataset: str) -> str:
    """The id of the DAG that publishes a team's dataset, which may hold a model's predictions."""
    for name, model in team.models.items():
        if model.predict is not None and model.predict.output_of(name) == dataset:
            return prediction_id(team.team, name)
    return f"{team.team}.{dataset}"


def compile_team(team: TeamConfig, installation: Installation) -> dict[str, Document]:
    """Every document of a team, by DAG id. The same config gives the same documents."""
    return {dag_id: make() for dag_id, make in document_makers(team, installation).items()}


def document_makers(
    team: TeamConfig, installation: Installation
) -> dict[str, Callable[[], Document]]:
    """What makes each document of a team, by DAG id: one that fails keeps no other from being made."""
    of_team = installation.of_team(team.team)

    def made(make: Callable[[Installation], Dag | OwnDag]) -> Document:
        return make(of_team).as_data()

    return {dag_id: partial(made, make) for dag_id, make in _makers(team).items()}


def compile_one(team: TeamConfig, dag_id: str, installation: Installation) -> Document | None:
    """The document of one DAG, or None if the team has no DAG of this id."""
    make = _makers(team).get(dag_id)
    return make(installation.of_team(team.team)).as_data() if make else None


def _makers(team: TeamConfig) -> dict[str, Callable[[Installation], Dag | OwnDag]]:
    makers: dict[str, Callable[[Installation], Dag | OwnDag]] = {}
    for name in team.datasets:
        makers[f"{team.team}.{name}"] = partial(dataset_document, team, name)
    for name, model in team.models.items():
        makers[training_id(team.team, name)] = partial(training_document, team, name)
        if model.predict is not None:
            makers[prediction_id(team.team, name)] = partial(prediction_document, team, name)
        if model.monitor is not None:
            makers[monitoring_id(team.team, name)] = partial(monitoring_document, team, name)
        if model.deploy is not None:
            makers[deployment_id(team.team, name)] = partial(deployment_document, team, name)
    for name in team.dags:
        makers[f"{team.team}.{name}"] = partial(_own_document, team, name)
    return makers


def compile_platform(platform: PlatformConfig, installation: Installation) -> dict[str, Document]:
    """The documents of the platform's own DAGs, by id."""
    if platform.maintenance is None:
        return {}
    return {MAINTENANCE: maintenance_document(platform.maintenance, installation).as_data()}


def _own_document(team: TeamConfig, name: str, installation: Installation) -> OwnDag:
    asset_of = asset_data(team, installation)
    return OwnDag(
        with_assets(team.dags[name], team.team, team.own_names, asset_of),
        team.team,
        team.owner,
        notifiers("on_failure", team),
        installation.internal_hosts,
    )
