"""The models of a training run that has one for each entity: each has a folder, and its results as files there.

Tasks loop over them, and what one of them fails of is no failure of the others. Between tasks, results travel as
files of the workspace, since together they are too large for XComs.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from factory.base.errors import TerminalError
from factory.base.files import write_json
from factory.base.texts import one_of
from factory.base.values import Result
from factory.base.workspace import WorkspaceGoneError
from factory.training.outcome import Failure, outcome_of

_FAILURE = "failure"
_SAVED = "entities"

FALLBACK = "all rows"
"""What the model that answers for other entities is called beside them."""

_SHOWN = 10
ResultType = TypeVar("ResultType", bound=Result)


class EntityPart(Result):
    """One of the models: an entity's own one, or the fallback, which learns from all rows."""

    entity: str | None
    """The value of the column, as text; None for the fallback."""
    name: str
    """The entity as a folder's name; empty for the fallback."""
    model: str
    """The registered model: `team.model.UA`, `team.model`."""
    rows: int
    """How many rows with a target it has; for the fallback all rows."""

    @property
    def label(self) -> str:
        """What a person calls it."""
        return FALLBACK if self.entity is None else self.entity

    def folder(self, workspace: Path) -> Path:
        """Its part of the workspace; the fallback has what a training of one model has."""
        return workspace / "entities" / self.name if self.name else workspace

    def has(self, result: str, workspace: Path) -> bool:
        """Whether it has a result of this name."""
        return self._file(result, workspace).exists()

    def read(self, result: str, kind: type[ResultType], workspace: Path) -> ResultType:
        """Its result of a name.

        Raises:
            WorkspaceGoneError: There is none.
        """
        file = self._file(result, workspace)
        try:
            return kind.from_json(json.loads(file.read_text("utf-8")))
        except FileNotFoundError:
            raise WorkspaceGoneError(f"`{result}` of {self.label}", "split", workspace) from None

    def find(self, result: str, kind: type[ResultType], workspace: Path) -> ResultType | None:
        """Its result of a name, if it has one."""
        return self.read(result, kind, workspace) if self.has(result, workspace) else None

    def write(self, result: str, value: Result, workspace: Path) -> None:
        """Keep a result."""
        write_json(self._file(result, workspace), value.as_json())

    def forget(self, result: str, workspace: Path) -> None:
        """Take a result away that an earlier try has left."""
        self._file(result, workspace).unlink(missing_ok=True)

    def failure(self, workspace: Path) -> Failure | None:
        """Why it got no further, if it has failed."""
        return self.find(_FAILURE, Failure, workspace)

    def _file(self, result: str, workspace: Path) -> Path:
        return self.folder(workspace) / "results" / f"{result}.json"


WHOLE = EntityPart(entity=None, name="", model="", rows=0)
"""What is about the whole run lies where the fallback's results lie."""


class _Saved(Result):
    parts: tuple[EntityPart, ...]


@dataclass(frozen=True)
class EntityParts:
    """All models of a training run, the fallback first."""

    all: Sequence[EntityPart]
    shown: Callable[[str], str] = str
    """Takes secrets out of why some have failed, which MLflow shows."""

    @classmethod
    def of(cls, workspace: Path, shown: Callable[[str], str] = str) -> "EntityParts":
        """Those that `save` has kept.

        Raises:
            WorkspaceGoneError: None are kept.
        """
        return cls(WHOLE.read(_SAVED, _Saved, workspace).parts, shown)

    def save(self, workspace: Path) -> None:
        """Keep which they are for the tasks that follow."""
        WHOLE.write(_SAVED, _Saved(parts=tuple(self.all)), workspace)

    def having(self, result: str, workspace: Path) -> list[EntityPart]:
        """Those that have a result of a name."""
        return [part for part in self.all if part.has(result, workspace)]

    def named(self, names: Sequence[str]) -> list[EntityPart]:
        """Those with these folders' names."""
        return [part for part in self.all if part.name in names]

    @property
    def fallback(self) -> EntityPart | None:
        """The model that learns from all rows, if there is one."""
        return next((part for part in self.all if part.entity is None), None)

    def each(
        self, result: str, work: Callable[[EntityPart], Result], workspace: Path
    ) -> list[EntityPart]:
        """Do some work for each of them, and keep the result, or why there is none; see `outcome_of`.

        Args:
            result: The name of the results.
            work: The work for one of them.
            workspace: The run's scratch folder.

        Returns:
            Those for which it was done.

        Raises:
            TerminalError: All have failed.
        """
        done = []
        for part in self.all:
            part.forget(result, workspace)
            part.forget(_FAILURE, workspace)
            found = outcome_of(f"{part.model} ({part.label})", partial(work, part))
            if isinstance(found, Failure):
                part.write(_FAILURE, Failure(error=self.shown(found.error)), workspace)
            else:
                part.write(result, found, workspace)
                done.append(part)
        if not done:
            raise TerminalError(f"{result}: {self._all_failed(workspace)}")
        return done

    def failures(self, workspace: Path) -> Iterator[tuple[EntityPart, Failure]]:
        """Those that have failed, and why."""
        for part in self.all:
            if (failure := part.failure(workspace)) is not None:
                yield part, failure

    def _all_failed(self, workspace: Path) -> str:
        failures = [f"{part.label}: {why.error}" for part, why in self.failures(workspace)]
        if not failures:
            return "there is nothing left to do: no entity has got so far"
        return f"all {len(failures)} models have failed. {one_of(failures, most=_SHOWN)}"
