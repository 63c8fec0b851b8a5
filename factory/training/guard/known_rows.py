"""Test rows that the champion has learned from: they flatter it.

A version keeps the hashes of its training rows, of at most 100,000 of them: the smallest ones. A test row whose hash
lies below the largest of these is among them or was not trained on; so the share is known for those rows, and they
are a sample of all.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import Field

from factory.base.files import whole_file
from factory.training.guard.finding import Guard, GuardFinding

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FILE = "training_rows.npz"
"""The hashes of the training rows, among a training run's artifacts in `ARTIFACTS`."""
ARTIFACTS = "split"
_KEPT = 100_000
_LEAST = 20
"""Test rows by which a share can be told at all."""


@dataclass(frozen=True, eq=False)
class TrainingRows:
    """The hashes of rows that a model has learned from."""

    columns: tuple[str, ...]
    """What was hashed; with other columns the same row has another hash."""
    hashes: "NDArray[np.uint64]"
    """The smallest ones, in their order."""
    is_whole: bool
    """Whether they are all."""

    @classmethod
    def of(cls, columns: Sequence[str], hashes: "NDArray[np.uint64]") -> Self:
        """What is kept of some rows.

        Args:
            columns: The columns that were hashed.
            hashes: One a row.
        """
        import numpy as np

        found = np.unique(hashes)
        return cls(tuple(columns), found[:_KEPT], is_whole=len(found) <= _KEPT)

    def save(self, file: Path) -> None:
        """Write them; a reader never sees half of it."""
        import numpy as np

        file.parent.mkdir(parents=True, exist_ok=True)
        columns = np.frombuffer(json.dumps(self.columns).encode(), dtype=np.uint8)
        with whole_file(file) as unfinished, unfinished.open("wb") as sink:
            np.savez(sink, columns=columns, hashes=self.hashes, is_whole=np.array(self.is_whole))

    @classmethod
    def load(cls, file: Path) -> Self:
        """What `save` wrote.

        Raises:
            ValueError: It is something else.
        """
        import numpy as np

        try:
            with np.load(file, allow_pickle=False) as found:
                columns = json.loads(found["columns"].tobytes())
                return cls(tuple(columns), found["hashes"], bool(found["is_whole"]))
        except (KeyError, OSError) as error:
            raise ValueError(f"{file.name} does not hold the hashes of rows: {error}") from error

    def known(self, columns: Sequence[str], hashes: "NDArray[np.uint64]") -> tuple[int, int] | None:
        """How many of some rows were learned from, and of how many that can be told; None if it cannot be.

        Args:
            columns: The columns that were hashed.
            hashes: One a row.
        """
        import numpy as np

        if tuple(columns) != self.columns or not len(self.hashes):
            return None
        told = hashes if self.is_whole else hashes[hashes <= self.hashes[-1]]
        return int(np.isin(told, self.hashes).sum()), len(told)


class ChampionOverlap(Guard):
    """Test rows that the champion has learned from: its score on them is too good to be compared with."""

    NAME: ClassVar[str] = "champion_overlap"

    share: float = Field(default=0.01, ge=0, lt=1)
    """Of the test rows, from which on."""

    def look(self, known: int, of: int, champion: int) -> Iterator[GuardFinding]:
        """A finding if there are too many.

        Args:
            known: Test rows that the champion has learned from.
            of: Test rows of which that can be told.
            champion: Its version.
        """
        if of >= _LEAST and known > self.share * of:
            yield self.found(
                f"the champion, version {champion}, has learned from {known / of:.0%} of the test rows, which "
                "flatters it: with `split: {method: hash}` or `method: time` no row "
                "changes sides as others come"
            )
