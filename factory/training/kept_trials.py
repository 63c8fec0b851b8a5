"""What is kept of each trial in the workspace, so that nothing is trained twice when a task tries again."""

import json
from pathlib import Path
from typing import TypeVar

from factory.base.digests import sha256_of_file
from factory.base.files import write_json
from factory.base.values import Result
from factory.training.outcome import Failure
from factory.training.search.strategy import Trial
from factory.training.trial import Evaluation, Fit, Sweep

ResultType = TypeVar("ResultType", bound=Result)


class _KeptFit(Result):
    made_of: str
    run_id: str
    fit: Fit


class _KeptEvaluation(Result):
    made_of: str
    parent_run_id: str
    evaluation: Evaluation


class KeptTrials:
    """The trials of one model's sweep, in a folder of the workspace.

    Args:
        folder: The model's part of the workspace.
        made_of: The digest of all that decides, together with a trial, what model comes out. What was made of
            anything else is not given out.
        run_id: The training run's.
    """

    def __init__(self, folder: Path, made_of: str, run_id: str) -> None:
        self._folder, self._made_of, self._run_id = folder, made_of, run_id

    def begin(self, trial: Trial) -> None:
        """Take note that a trial is begun; see `times_begun`."""
        self._file("failure", trial).unlink(missing_ok=True)
        file = self._file("begun", trial)
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("ab") as began:
            began.write(b".")

    def times_begun(self, trial: Trial) -> int:
        """How often a trial was begun, whatever became of it."""
        try:
            return self._file("begun", trial).stat().st_size
        except FileNotFoundError:
            return 0

    def keep_fit(self, fit: Fit) -> None:
        """Keep a model that was trained."""
        kept = _KeptFit(made_of=self._made_of, run_id=self._run_id, fit=fit)
        self._write("fit", fit.trial, kept)

    def fit(self, trial: Trial) -> Fit | None:
        """A trial's model, if it was trained and its file is the one that was stored."""
        kept = self._read("fit", trial, _KeptFit)
        if kept is None or kept.made_of != self._made_of or kept.fit.trial != trial:
            return None
        file = self._folder / kept.fit.model_file
        if not file.exists() or sha256_of_file(file) != kept.fit.sha256:
            return None
        if kept.run_id == self._run_id:
            return kept.fit
        return kept.fit.model_copy(update={"trained_in": kept.run_id})

    def keep_evaluation(self, evaluation: Evaluation, sweep: Sweep) -> None:
        """Keep what was measured, and logged below a sweep's MLflow run."""
        kept = _KeptEvaluation(
            made_of=self._made_of, parent_run_id=sweep.parent_run_id, evaluation=evaluation
        )
        self._write("evaluation", evaluation.fit.trial, kept)

    def evaluation(self, trial: Trial, sweep: Sweep) -> Evaluation | None:
        """What was measured of a trial and logged below a sweep's MLflow run, if it got so far."""
        kept = self._read("evaluation", trial, _KeptEvaluation)
        if kept is None or (kept.made_of, kept.parent_run_id) != (
            self._made_of,
            sweep.parent_run_id,
        ):
            return None
        return kept.evaluation if kept.evaluation.fit.trial == trial else None

    def keep_failure(self, trial: Trial, failure: Failure) -> None:
        """Keep why a trial has failed; it has no evaluation then."""
        self._file("evaluation", trial).unlink(missing_ok=True)
        self._write("failure", trial, failure)

    def failure(self, trial: Trial) -> str | None:
        """Why a trial has failed, if that is known."""
        found = self._read("failure", trial, Failure)
        return None if found is None else found.error

    def _read(self, what: str, trial: Trial, kind: type[ResultType]) -> ResultType | None:
        try:
            return kind.from_json(json.loads(self._file(what, trial).read_text("utf-8")))
        except FileNotFoundError:
            return None

    def _write(self, what: str, trial: Trial, value: Result) -> None:
        write_json(self._file(what, trial), value.as_json())

    def _file(self, what: str, trial: Trial) -> Path:
        return self._folder / "trials" / f"{trial.index}.{what}.json"
