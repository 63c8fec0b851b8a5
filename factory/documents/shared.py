"""What all tasks of a DAG share, said once in its document."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True)
class Shared:
    """Facts that every task of a DAG may ask for; a document's `default_args` hold them as `shared`.

    Sections are plain data, without what has its default. Their templates are rendered by the task
    that asks for them, and not stored with it, as an operator's own arguments are.
    """

    storage: str
    """The lake's address."""
    workspace: str
    """The folder below which each run has a scratch folder."""
    storage_connection: str | None = None
    """The Airflow connection by which tasks reach storage; None where it needs none."""
    dataset: str | None = None
    """The dataset that the DAG publishes, `team.dataset`."""
    model: str | None = None
    """The model that the DAG is about, `team.model`."""
    reads: tuple[str, ...] = ()
    """The datasets that the DAG reads, by full name."""
    columns: Mapping[str, str] | None = None
    """The promised columns of the dataset, name to type."""
    write: Mapping[str, Any] | None = None
    """How the dataset's new rows meet the published ones: its section `write`."""
    section: Mapping[str, Any] | None = None
    """The model's section, with the text of SQL files in place of their paths."""
    monitor: Mapping[str, Any] | None = None
    """The model's section `monitor`."""
    deploy: Mapping[str, Any] | None = None
    """The model's section `deploy`."""
    price: float | None = None
    """USD an hour of the machine that trials are trained on, if it is known."""

    def as_data(self) -> dict[str, Any]:
        """The facts as a document holds them: those that there are."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        found["reads"] = list(self.reads)
        return {name: value for name, value in found.items() if value not in (None, [])}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> "Shared":
        """The facts that `as_data` wrote."""
        return cls(**{**data, "reads": tuple(data.get("reads", ()))})
