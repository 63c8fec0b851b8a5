"""What nobody needs any more, and what became of it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from factory.base.errors import FactoryError

IsLive = Callable[[str, str, str | None], bool | None]
"""Whether a run of a DAG (its id, the run's id) is waiting or at work; None where nobody knows.

The third argument is the AIRFLOW_HOME that the run belongs to, if that is known."""


@dataclass(frozen=True)
class Leftover:
    """Something that can be taken away."""

    what: str
    """What it is and where, for people."""
    bytes: int
    remove: Callable[[], None]


@dataclass(frozen=True)
class Stays:
    """Something that might be left over, and is let alone."""

    what: str
    """What it is, and why it stays."""


@dataclass
class Cleaned:
    """What became of the leftovers of one kind."""

    kind: str
    removed: list[Leftover] = field(default_factory=list)
    stays: list[str] = field(default_factory=list)

    @property
    def bytes(self) -> int:
        """How much was taken away."""
        return sum(one.bytes for one in self.removed)

    def as_json(self) -> dict[str, Any]:
        """What a task returns."""
        return {"removed": len(self.removed), "bytes": self.bytes, "stays": self.stays}


def clean(kind: str, found: Iterable[Leftover | Stays], *, dry_run: bool) -> Cleaned:
    """Take leftovers away one by one, as they are found; what cannot be removed stays and is named.

    Args:
        kind: What they are, for people.
        found: The leftovers, and what is let alone.
        dry_run: Whether only to say what would be done.
    """
    cleaned = Cleaned(kind)
    for one in found:
        if isinstance(one, Stays):
            cleaned.stays.append(one.what)
            continue
        try:
            if not dry_run:
                one.remove()
        except (OSError, FactoryError) as error:
            cleaned.stays.append(f"{one.what}: {error}")
        else:
            cleaned.removed.append(one)
    return cleaned
