"""The trials that one task trains, one after the other: each is measured, logged, kept and may fail for itself."""

import logging
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

from factory.base.digests import sha256_of_json
from factory.base.errors import FactoryError, TerminalError, may_pass
from factory.base.forked import EndedError, run_forked
from factory.base.texts import one_of
from factory.base.values import Result
from factory.models.tracking import Tracking
from factory.models.training_run import TrainingRun
from factory.training.kept_trials import KeptTrials
from factory.training.model import Model
from factory.training.outcome import Failure, outcome_of
from factory.training.search.strategy import Trial
from factory.training.split import DividedRows
from factory.training.trial import Evaluation, Fit, Sweep, evaluate, failures_logged, fit

logger = logging.getLogger(__name__)

_SHOWN = 10
LONGEST_NAME = 200
"""Airflow cuts a rendered map index off at 250 characters."""


class TrialBatch(Result):
    """What one instance of the mapped task trains: some trials, each of them for each of some models."""

    name: str
    """What a person calls it."""
    trials: tuple[int, ...]
    """Their places in the sweep."""
    models: tuple[str, ...] = ("",)
    """The folders' names of the models; the one of a model without `entities` is empty."""


class BatchResult(Result):
    """What became of a batch."""

    done: int
    """How many trials were trained and measured."""
    metrics: dict[str, dict[str, float]]
    """What was measured of some of them, by their names."""
    failed: dict[str, str]
    """Why some were not, by their names."""
    left_out: int = 0
    """How many were not begun, since the time of the sweep was over."""
    mlflow_run_id: str | None
    """The MLflow run of the trial, where the batch has one."""


@dataclass(frozen=True)
class SweepTrials:
    """The trials of one model in one training run, and what they have in common."""

    model: Model
    split: DividedRows
    workspace: Path
    """The model's part of the workspace."""
    run: TrainingRun
    sweep: Sweep
    tracking: Tracking
    label: str = ""
    """What a person calls the model beside others of the run."""
    shown: Callable[[str], str] = str
    """Takes secrets out of what errors and warnings say: MLflow shows it to everybody."""

    @cached_property
    def kept(self) -> KeptTrials:
        """What earlier tries have come to."""
        made_of = [self.run.model, self.run.provenance(), self.split.as_json()]
        return KeptTrials(self.workspace, sha256_of_json(made_of), self.run.run_id)

    def name_of(self, trial: Trial) -> str:
        """What a person calls one of them."""
        return f"{self.label}: {trial.name}" if self.label else trial.name

    def is_left_out(self, trial: Trial) -> bool:
        """Whether a trial was not begun, and is not any more: the time of the sweep is over."""
        return self.sweep.is_over and not self.kept.times_begun(trial)

    def outcomes(self, trials: Sequence[Trial]) -> tuple[list[Evaluation], dict[str, str]]:
        """What was measured of trials, and why others have failed, by their names."""
        evaluations = (self.kept.evaluation(trial, self.sweep) for trial in trials)
        failures = {trial.name: self.kept.failure(trial) for trial in trials}
        return (
            [found for found in evaluations if found is not None],
            {name: error for name, error in failures.items() if error is not None},
        )

    def fitted(self, trial: Trial, by: Callable[[], Fit] | None = None) -> Fit:
        """The trial's model, trained by this process or by what is given, unless it was before."""
        found = self.kept.fit(trial)
        if found is None:
            found = by() if by else fit(trial, self.split, self.model, self.workspace)
            warnings = tuple(map(self.shown, found.warnings))
            found = found.model_copy(update={"warnings": warnings})
            self.kept.keep_fit(found)
        elif found.trained_in is not None:
            logger.info("%s: was trained in the run %s", trial.name, found.trained_in)
        return found

    def train(
        self, trial: Trial, *, attempt: int = 1, by: Callable[[], Fit] | None = None
    ) -> Evaluation:
        """Train, measure and log one trial; what an earlier try has come to is used again.

        Args:
            trial: The hyperparameters.
            attempt: Which try of the task it is, from 1.
            by: What trains it; left out, this process does.

        Raises:
            TerminalError: It cannot be trained or measured; its MLflow run says FAILED, and why.
            TrackingError: The MLflow server does not answer.
        """
        if (found := self.kept.evaluation(trial, self.sweep)) is not None:
            logger.info("%s: was trained and measured before", trial.name)
            return found
        attempt = max(attempt, 1 + self.kept.times_begun(trial))
        self.kept.begin(trial)
        limit = self.model.search.trial_timeout
        try:
            if limit is None:
                return self._train(trial, attempt, by)
            return self._train_within(limit, trial, attempt)
        except Exception as error:
            if not may_pass(error):
                failure = Failure(error=self.shown(Failure.of(error).error))
                self.kept.keep_failure(trial, failure)
            raise

    def _train_within(self, seconds: int, trial: Trial, attempt: int) -> Evaluation:
        """Train a trial in a process of its own, which the others survive."""
        try:
            run_forked(partial(self._train, trial, attempt), seconds)
        except EndedError as error:
            said = TerminalError(f"trial {trial.index} ({trial.name}): {error}")
            # The process may have come to log something; that is replaced.
            with self._failures_logged(trial, attempt + 1):
                raise said from error
        if (found := self.kept.evaluation(trial, self.sweep)) is None:
            raise FactoryError(f"{trial.name}: nothing was kept of what its process has measured")
        return found

    def _failures_logged(self, trial: Trial, attempt: int) -> AbstractContextManager[None]:
        return failures_logged(
            trial,
            tracking=self.tracking,
            run=self.run,
            sweep=self.sweep,
            attempt=attempt,
            shown=self.shown,
        )

    def _train(self, trial: Trial, attempt: int, by: Callable[[], Fit] | None = None) -> Evaluation:
        with self._failures_logged(trial, attempt):
            fitted = self.fitted(trial, by)
        found = evaluate(
            fitted,
            self.model,
            self.workspace,
            tracking=self.tracking,
            run=self.run,
            sweep=self.sweep,
            attempt=attempt,
        )
        self.kept.keep_evaluation(found, self.sweep)
        return found


def train_batch(
    trials: Iterable[tuple[SweepTrials, Trial]],
    *,
    attempt: int = 1,
    may_fail: bool = False,
    by: Callable[[], Fit] | None = None,
) -> BatchResult:
    """Train some trials, each for itself: what one of them fails of is no failure of the others.

    One whose process has died before, for want of memory perhaps, comes last. Those that come to their turn when the
    time of the sweep is over are left out.

    Args:
        trials: The trials, with the others of their models.
        attempt: Which try of the task it is, from 1.
        may_fail: Whether the batch is done where only some of it is.
        by: What trains the trial, of a batch of one; left out, this process does.

    Raises:
        TerminalError: One of them cannot be trained or measured or, where some may fail, none can.
        TrackingError: The MLflow server does not answer.
    """
    ordered = sorted(trials, key=lambda one: one[0].kept.times_begun(one[1]))
    done: dict[str, Evaluation] = {}
    failed: dict[str, str] = {}
    left_out = 0
    for of, trial in ordered:
        if of.is_left_out(trial):
            left_out += 1
            continue
        name, train = of.name_of(trial), partial(of.train, trial, attempt=attempt, by=by)
        if len(ordered) == 1:
            found: Evaluation | Failure = train()
        else:
            # Airflow's page of a log shows what is between these as a section.
            logger.info("::group::%s", name)
            found = outcome_of(name, train)
            logger.info("::endgroup::")
        if isinstance(found, Failure):
            # What the task returns is masked by nobody.
            failed[name] = of.shown(found.error)
        else:
            done[name] = found
    if left_out:
        logger.warning(
            "%d of %d trials are left out: the time that `search.max_minutes` gives is over",
            left_out,
            len(ordered),
        )
    if failed and not (may_fail and done):
        said = one_of((f"{name}: {error}" for name, error in failed.items()), most=_SHOWN)
        raise TerminalError(f"{len(failed)} of {len(ordered)} trials failed. {said}")
    return BatchResult(
        done=len(done),
        metrics={name: found.metrics for name, found in list(done.items())[:_SHOWN]},
        failed=dict(list(failed.items())[:_SHOWN]),
        left_out=left_out,
        mlflow_run_id=next(iter(done.values())).mlflow_run_id if len(done) == 1 else None,
    )


def batches_of(trials: Sequence[Trial], size: int) -> list[TrialBatch]:
    """Trials in batches of about one size.

    Neighbours, which often cost alike, are dealt out to different ones.

    Args:
        trials: All trials of the sweep.
        size: How many a batch has at most.
    """
    count = -(-len(trials) // size)
    dealt = [trials[start::count] for start in range(count)]
    return [
        TrialBatch(
            name=one_of((trial.name for trial in some), most=3)[:LONGEST_NAME],
            trials=tuple(trial.index for trial in some),
        )
        for some in dealt
    ]
