"""An Airflow that says what a test wants to hear, and a project with a dataset, a model and their past."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from factory.catalog.project import Project, read_all
from factory.models.record import ModelFacts
from factory.models.registry import set_alias
from factory.models.tracking import Tracking
from factory.status.airflow_facts import (
    ApprovalFacts,
    DagFacts,
    EventFacts,
    RunFacts,
    TaskFacts,
)

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)

TEAM = """\
version: 1
team: {team}
owner: marine@example.org
datasets:
  penguins: {{source: {{type: csv, path: data/penguins.csv}}}}
  weather: {{source: {{type: csv, path: data/weather.csv}}}}
models:
  species:
    task: classification
    train_on: penguins
    target: name
    search: {{strategy: list, trials: [{{estimator: sklearn.linear_model.LogisticRegression}}]}}
    objective: {{metric: accuracy}}
    {more}
"""


@dataclass
class StandIn:
    """What `factory.status.airflow_facts.Airflow` asks, answered from what is written down here."""

    address: str = "http://airflow.example"
    known: Mapping[str, DagFacts] = field(default_factory=dict)
    runs: Mapping[str, RunFacts] = field(default_factory=dict)
    at: Sequence[TaskFacts] = ()
    asked: Sequence[ApprovalFacts] = ()
    come: Mapping[str, datetime] = field(default_factory=dict)
    events: Mapping[str, EventFacts] = field(default_factory=dict)
    paused: tuple[datetime, str] | None = None
    slots: Mapping[str, int] = field(default_factory=dict)

    def dags(self) -> Mapping[str, DagFacts]:
        return self.known

    def last_runs(self, dag_ids: Collection[str]) -> Mapping[str, RunFacts]:
        return {name: run for name, run in self.runs.items() if name in dag_ids}

    def tasks(self, run: RunFacts) -> Sequence[TaskFacts]:
        del run
        return self.at

    def approvals(self) -> Sequence[ApprovalFacts]:
        return self.asked

    def news(self, dag_id: str) -> Mapping[str, datetime]:
        del dag_id
        return self.come

    def last_event(self, asset: str) -> EventFacts | None:
        return self.events.get(asset)

    def paused_by(self, dag_id: str) -> tuple[datetime, str] | None:
        del dag_id
        return self.paused

    def open_slots(self, pool: str) -> int | None:
        return self.slots.get(pool)


def project_of(folder: Path, team: str = "marine", more: str = "") -> Project:
    """A team's files, read."""
    configs = folder / "configs"
    configs.mkdir(exist_ok=True)
    (configs / "_defaults.yaml").write_text("version: 1\n")
    (configs / f"{team}.yaml").write_text(TEAM.format(team=team, more=more))
    return read_all(configs, "dev")


def register(
    tracking: Tracking,
    model: str,
    snapshots: dict[str, int],
    *,
    entity: str | None = None,
    accuracy: float = 0.9,
    **tags: Any,
) -> int:
    """A version without files, which nobody loads; its number."""
    client = tracking.client
    experiment = client.create_experiment(f"{model} {uuid4().hex[:8]}")
    run = client.create_run(experiment)
    if not client.search_registered_models(f"name = '{model}'"):
        client.create_registered_model(model, tags={"entity": entity} if entity else None)
    facts = ModelFacts(
        task="classification",
        snapshots=snapshots,
        metrics={"test_accuracy": accuracy, "test_a": 0.5},
        entity=entity,
        entity_column="island" if entity else None,
    )
    made = client.create_model_version(
        model,
        f"{run.info.artifact_uri}/model",
        run_id=run.info.run_id,
        tags={**facts.as_tags(), "gate_metric": "maximize test_accuracy", **tags},
    )
    return int(made.version)


BY_ENTITY = "entities: {column: island}\n    monitor: {}"
"""More of the model: one for each island, which are watched."""


def register_islands(tracking: Tracking, model: str) -> None:
    """The model of all rows, and of two islands the champions: Biscoe's is worse."""
    for island, accuracy in (("Dream", 0.95), ("Biscoe", 0.7)):
        number = register(tracking, f"{model}.{island}", {}, entity=island, accuracy=accuracy)
        promote(tracking, f"{model}.{island}", number)
    promote(tracking, model, register(tracking, model, {}))
    tags = {"role": "monitor", "model": model, "entities": "island", "window": "w 1"}
    found = {"breached": "true", "counts": "true", "findings": "Biscoe: drift of depth"}
    tracking.client.create_run(tracking.ensure_experiment(model), tags={**tags, **found})


def promote(tracking: Tracking, model: str, number: int) -> None:
    set_alias(model, "champion", number, tracking=tracking)


def sweep(tracking: Tracking, model: str, seconds: Sequence[float], cost_usd: float) -> None:
    """A sweep that has ended, with so many seconds of each fit."""
    client = tracking.client
    experiment = client.create_experiment(model)
    parent = client.create_run(experiment, tags={"role": "sweep"}).info.run_id
    client.log_metric(parent, "cost_usd", cost_usd)
    for one in seconds:
        tags = {"role": "trial", "mlflow.parentRunId": parent}
        trial = client.create_run(experiment, tags=tags).info.run_id
        client.log_metric(trial, "fit_seconds", one)
        client.set_terminated(trial)
    client.set_terminated(parent)
