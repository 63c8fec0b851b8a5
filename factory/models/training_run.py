"""Which training run something comes from: the tags of its MLflow runs and versions."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

TRIAL_INDEX = "trial_index"
"""The tag of a trial's run with its place in the sweep."""

ENTITY = "entity"
"""The tag of runs and versions with the entity whose own model they are about."""


@dataclass(frozen=True)
class TrainingRun:
    """Which training run this is: what every MLflow run and model version of it is tagged with."""

    model: str
    """The registered model: `team.model`, or that of an entity, `team.model.UA`."""
    dag_id: str
    run_id: str
    """Airflow's; MLflow's own ids are another matter."""
    config_hash: str
    trigger: str = "manual"
    """Why it ran: `asset`, `schedule`, `manual`, …"""
    snapshots: Mapping[str, int] = field(default_factory=dict)
    """Dataset to version, of every snapshot that was read."""
    at: datetime | None = None
    """When it was due."""
    page: str = ""
    """Airflow's page of it."""
    entity: str | None = None
    """The entity whose own model it trains, a value of the column as text; None where it learns from all rows."""
    part_of: str = ""
    """MLflow's id of the run that stands for the training of all entities; empty for that one itself."""

    @property
    def name(self) -> str:
        """What a person calls it: when, and why; as long as MLflow's column is wide. An entity's has its name."""
        if self.entity is not None:
            return self.entity
        if self.at is None:
            return self.run_id
        return f"{self.at.astimezone(UTC):%m-%d %H:%M} {self.trigger}"

    @property
    def experiment(self) -> str:
        """The name of the MLflow experiment, which is that of the model for all of its entities too."""
        return self.model if self.entity is None else self.model.rpartition(".")[0]

    def identity(self) -> dict[str, str]:
        """The tags that find this run again; by its model, since entities have runs of their own."""
        return {"model": self.model, **identity(self.dag_id, self.run_id)}

    def provenance(self) -> dict[str, str]:
        """The tags that decide, together with a trial, what model comes out."""
        versions = {
            f"snapshot.{name}": str(self.snapshots[name]) for name in sorted(self.snapshots)
        }
        return {"config_hash": self.config_hash, **versions}

    def tags(self) -> dict[str, str]:
        """All tags."""
        return {
            "trigger": self.trigger,
            **self.identity(),
            **self.provenance(),
            **({} if self.entity is None else {ENTITY: self.entity}),
        }


def identity(dag_id: str, run_id: str) -> dict[str, str]:
    """The tags that find a run of a DAG again; both ids are Airflow's."""
    return {"airflow.dag_id": dag_id, "airflow.run_id": run_id}
