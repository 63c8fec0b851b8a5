"""One immutable version of a dataset, and what can go wrong on the way to it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from factory.base.errors import FactoryError, TerminalError


class LakeError(FactoryError):
    """The lake could not be read or written."""


class NoSnapshotError(LakeError, TerminalError):
    """A dataset or a version of it does not exist."""


class DamagedSnapshotError(LakeError, TerminalError):
    """Files of a snapshot, or of a table's log, are not those that were written."""


class SchemaMismatchError(LakeError, TerminalError):
    """New rows do not fit the published ones."""


class MergeKeyError(LakeError, TerminalError):
    """The keys of a merge do not identify rows."""


class AlreadyAppendedError(LakeError, TerminalError):
    """A run has already appended rows, and comes with other ones."""


class SourceOvertakenError(LakeError, TerminalError):
    """Somebody else has published since a run has looked what is new in its source."""


@dataclass(frozen=True)
class Snapshot:
    """One version of a dataset."""

    dataset: str
    """The full name, `team.dataset`."""
    uri: str
    version: int
    rows: int
    columns: dict[str, str]
    """Column to DuckDB type, in their order."""
    schema_hash: str
    content_hash: str
    """Equal for equal rows under an equal schema, in whatever order the rows are."""
    published_at: str
    """UTC, in ISO 8601."""

    def as_event(self) -> dict[str, Any]:
        """The snapshot as an asset event's extra: small JSON."""
        return asdict(self)

    @classmethod
    def from_event(cls, extra: Mapping[str, Any]) -> "Snapshot":
        """The snapshot that an asset event's extra names; what else the extra holds is left out.

        Raises:
            LakeError: when the extra does not name a snapshot.
        """
        missing = [field.name for field in fields(cls) if field.name not in extra]
        if missing:
            raise LakeError(
                f"an asset event does not name a snapshot: it lacks {', '.join(missing)}. "
                "Run the producer's DAG: its `publish` task emits complete events"
            )
        return cls(**{field.name: extra[field.name] for field in fields(cls)})
