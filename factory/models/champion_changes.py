"""Where changes of the version in production are written down: each once, for good, and never two under one number.

MLflow sets an alias whatever it was before. A parameter of a run it writes once, and refuses another value
for it; so each change is a parameter, named by its number, of the MLflow run of the model's first version.
"""

import uuid
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import cached_property

from mlflow.entities import LifecycleStage, Run, ViewType
from mlflow.exceptions import MlflowException
from pydantic import Field, ValidationError

from factory.base.errors import TerminalError
from factory.base.values import Result
from factory.models.registry import MISSING, Reason, Version
from factory.models.tracking import Tracking

_WRITTEN_ALREADY = "INVALID_PARAMETER_VALUE"


class Change(Result):
    """One change of the version in production, as it is written down."""

    number: int
    """The how manieth of the model's changes."""
    to: int
    before: int | None
    """The champion until then."""
    reason: Reason
    by: str
    why: str
    at: datetime
    id: str = Field(default_factory=lambda: uuid.uuid4().hex)
    """Tells it from another one that says the same."""

    def tags(self, what: str) -> dict[str, str]:
        """The tags of a version with which this was done."""
        at = self.at.isoformat(timespec="seconds")
        return {f"{what}_at": at, f"{what}_by": self.by, f"{what}_why": self.why}


class WrittenChanges:
    """What is written down of one model's changes."""

    def __init__(self, model: str, versions: Sequence[Version], tracking: Tracking) -> None:
        self.model = model
        self.tracking = tracking
        self._versions = sorted(versions, key=lambda one: one.number)
        with tracking.asked() as client:
            created = client.get_registered_model(model).creation_timestamp
        # A model that was deleted and registered anew has other changes.
        self._prefix = f"champion_change.{created}."

    def write(self, change: Change) -> Change | None:
        """Write a change down; the other one if somebody has written one under its number before.

        Raises:
            TrackingError: The MLflow server does not answer.
        """
        with self.tracking.asked() as client:
            try:
                # Asked again after a lost answer, it finds its own value, and that is no failure.
                client.log_param(self._run_id, self._key(change.number), change.model_dump_json())
            except MlflowException as error:
                if error.error_code != _WRITTEN_ALREADY:
                    raise
                other = self._read(client.get_run(self._run_id), change.number)
                if other is None:
                    raise
                return other
        return None

    def last(self) -> Change | None:
        """The last one; None as long as there is none."""
        with self.tracking.asked() as client:
            found = self._in(client.get_run(self._run_id))
        return found[max(found)] if found else None

    def all(self, made: int) -> list[Change]:
        """All of them, the oldest first, also those in runs and of versions that were deleted since.

        Args:
            made: The number of the last change that was made.
        """
        found: dict[int, Change] = {}
        for run in self._first_runs():
            found |= self._in(run)
        while (missing := min(found, default=made + 1) - 1) and (run := self._run_with(missing)):
            found |= self._in(run)
        return [found[number] for number in sorted(found)]

    @cached_property
    def _run_id(self) -> str:
        """The MLflow run of the first version whose run there still is."""
        for version in self._versions:
            run_id = version.record.mlflow_run_id
            if run_id and self.tracking.is_active(run_id):
                return run_id
        raise TerminalError(
            f"{self.model}: the MLflow runs of all its versions were deleted, and changes of the "
            "champion are kept there: restore one (`mlflow runs restore --run-id …`), or train anew"
        )

    def _first_runs(self) -> Iterator[Run]:
        """The runs of the first versions, as far as changes may be written down there."""
        for version in self._versions:
            with self.tracking.asked() as client:
                try:
                    run = client.get_run(version.record.mlflow_run_id)
                except MlflowException as error:
                    if error.error_code not in MISSING:
                        raise
                    continue
            yield run
            if run.info.lifecycle_stage == LifecycleStage.ACTIVE:
                return

    def _run_with(self, number: int) -> Run | None:
        """The run of a version that is no longer registered in which a change is written down."""
        with self.tracking.asked() as client:
            experiments = {run.info.experiment_id for run in self._first_runs()}
            found = client.search_runs(
                list(experiments),
                f"params.`{self._key(number)}` LIKE '%'",
                run_view_type=ViewType.ALL,
                max_results=1,
            )
        return found[0] if found else None

    def _in(self, run: Run) -> dict[int, Change]:
        numbers = (
            int(key.removeprefix(self._prefix))
            for key in run.data.params
            if key.startswith(self._prefix)
        )
        return {number: one for number in numbers if (one := self._read(run, number)) is not None}

    def _read(self, run: Run, number: int) -> Change | None:
        text = run.data.params.get(self._key(number))
        try:
            return None if text is None else Change.model_validate_json(text)
        except ValidationError:
            raise TerminalError(
                f"{self.model}: the parameter {self._key(number)} of the MLflow run {run.info.run_id} was "
                "not written by the factory: a newer release of it may have. Update this one"
            ) from None

    def _key(self, number: int) -> str:
        return f"{self._prefix}{number}"
