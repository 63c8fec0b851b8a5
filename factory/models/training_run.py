"""Which training run something comes from: the tags of its MLflow runs and versions."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime


@dataclass(frozen=True)
class TrainingRun:
    """Which training run this is: what every MLflow run and model version of it is tagged with."""

    model: str
    """The full name, `team.model`."""
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

    @property
    def name(self) -> str:
        """What a person calls it: when, and why; as long as MLflow's column is wide."""
        if self.at is None:
            return self.run_id
        return f"{self.at.astimezone(UTC):%m-%d %H:%M} {self.trigger}"

    def identity(self) -> dict[str, str]:
        """The tags that find this run again."""
        return identity(self.dag_id, self.run_id)

    def provenance(self) -> dict[str, str]:
        """The tags that decide, together with a trial, what model comes out."""
        versions = {
            f"snapshot.{name}": str(self.snapshots[name]) for name in sorted(self.snapshots)
        }
        return {"config_hash": self.config_hash, **versions}

    def tags(self) -> dict[str, str]:
        """All tags."""
        return {
            "model": self.model,
            "trigger": self.trigger,
            **self.identity(),
            **self.provenance(),
        }


def identity(dag_id: str, run_id: str) -> dict[str, str]:
    """The tags that find a run of a DAG again; both ids are Airflow's."""
    return {"airflow.dag_id": dag_id, "airflow.run_id": run_id}
