"""A training run with one model for each entity: the steps of a training, for one entity after the other."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path

from factory.base.errors import TerminalError
from factory.base.texts import one_of
from factory.base.values import Result
from factory.lake.snapshot import Snapshot
from factory.models.tracking import CONFIGURATION, Tracking
from factory.models.training_run import TrainingRun
from factory.training.entity_parts import WHOLE, EntityPart, EntityParts, Failure, outcome_of
from factory.training.entity_rows import SPLIT
from factory.training.model import Model
from factory.training.register import Registration
from factory.training.register import register as register_one
from factory.training.search.strategy import Trial
from factory.training.split import DividedRows
from factory.training.sweep import (
    FinalTest,
    Selection,
    final_test,
    refuse_wrong,
    start_sweep,
)
from factory.training.sweep import select_best as select_best_one
from factory.training.trial import Evaluation, Fit, Sweep
from factory.training.trial import evaluate as evaluate_one
from factory.training.trial import fit as fit_one

SWEEP = "sweep"
SELECTION = "selection"
TEST = "test"
REGISTRATION = "registration"

MOST_WITH_PLOTS = 30
"""With more models, only the fallback has plots and feature importances, which take longer than the rest of the test."""

_TRIALS = "trials"
_SHOWN = 10
# Airflow cuts a rendered map index off at 250 characters.
_LONGEST = 200


class TrialBatch(Result):
    """What one instance of the mapped task group trains: a trial of one model, or all trials of some models."""

    name: str
    """What a person calls it."""
    models: tuple[str, ...]
    """The folders' names of the models."""
    trial: int | None
    """Which trial; None for all."""


class BatchResult(Result):
    """What became of a batch."""

    done: int
    """How many trials were trained, or measured."""
    failed: tuple[str, ...]
    """The names of some that were not, and why."""


class _Trials(Result):
    trials: tuple[Trial, ...]


def batches(parts: Sequence[EntityPart], trials: Sequence[Trial], most: int) -> list[TrialBatch]:
    """What the instances of the mapped task group train.

    One instance for each model and trial; where these are more than `most`, one for each model; where these are more
    too, one for some models, as many for each instance.
    """
    if len(parts) * len(trials) <= most:
        return [
            TrialBatch(
                name=f"{part.label}: {trial.name}"[:_LONGEST],
                models=(part.name,),
                trial=trial.index,
            )
            for part in parts
            for trial in trials
        ]
    size = -(-len(parts) // most)
    groups = [parts[start : start + size] for start in range(0, len(parts), size)]
    return [
        TrialBatch(
            name=one_of((part.label for part in group), most=3)[:_LONGEST],
            models=tuple(part.name for part in group),
            trial=None,
        )
        for group in groups
    ]


@dataclass(frozen=True)
class EntityTraining:
    """One training run: what its tasks do after the rows were divided.

    `run` is that of the whole training, whose MLflow run is the fallback's too; those of entities are below it.
    """

    model: Model
    workspace: Path
    run: TrainingRun
    tracking: Tracking

    @cached_property
    def parts(self) -> EntityParts:
        """All models of the run."""
        return EntityParts.of(self.workspace)

    def plan(self, snapshots: Sequence[Snapshot], most: int) -> tuple[Sweep, list[TrialBatch]]:
        """Expand the search once for all models, and start the MLflow run of each.

        Args:
            snapshots: The dataset versions that were read.
            most: How many instances the mapped task group may have.

        Returns:
            The MLflow run of the whole training, and what the instances train.

        Raises:
            TerminalError: More trials cannot be trained than may fail, or no model gets so far.
            TrackingError: The MLflow server does not answer.
        """
        trials = self.model.expand()
        refuse_wrong(trials, self.model)
        whole = self._start_whole(snapshots)
        WHOLE.write(_TRIALS, _Trials(trials=trials), self.workspace)

        def started(part: EntityPart) -> Sweep:
            return start_sweep(
                trials,
                self._model_of(part),
                self._split_of(part),
                tracking=self.tracking,
                run=replace(
                    self._run_of(part), part_of="" if part.entity is None else whole.parent_run_id
                ),
                snapshots=snapshots,
            )

        done = self._having(SPLIT).each(SWEEP, started, self.workspace)
        return whole, batches(done, trials, most)

    def sweeps(self) -> list[Sweep]:
        """The MLflow runs of entities."""
        parts = self.parts.having(SWEEP, self.workspace)
        return [self._sweep_of(part) for part in parts if part.entity is not None]

    def _start_whole(self, snapshots: Sequence[Snapshot]) -> Sweep:
        experiment_id = self.tracking.ensure_experiment(self.run.experiment)
        run_id = self.tracking.start_parent(experiment_id, self.run, snapshots)
        self.tracking.log_json(run_id, self.model.as_trained(), CONFIGURATION)
        return Sweep(experiment_id=experiment_id, parent_run_id=run_id)

    def fit(self, batch: TrialBatch) -> BatchResult:
        """Train a batch's trials.

        Raises:
            TerminalError: None of them could be trained.
        """

        def trained(part: EntityPart, trial: Trial) -> Fit:
            folder = part.folder(self.workspace)
            return fit_one(trial, self._split_of(part), self._model_of(part), folder)

        return self._each_trial("fit", self._trials_of(batch), trained)

    def evaluate(self, batch: TrialBatch, attempt: int) -> BatchResult:
        """Measure those of a batch's trials that were trained, and log them to MLflow.

        Raises:
            TerminalError: None of them could be measured.
            TrackingError: The MLflow server does not answer.
        """

        def measured(part: EntityPart, trial: Trial) -> Evaluation:
            return evaluate_one(
                part.read(f"fit-{trial.index}", Fit, self.workspace),
                self._model_of(part),
                part.folder(self.workspace),
                tracking=self.tracking,
                run=self._run_of(part),
                sweep=self._sweep_of(part),
                attempt=attempt,
            )

        fitted = (
            (part, trial)
            for part, trial in self._trials_of(batch)
            if part.has(f"fit-{trial.index}", self.workspace)
        )
        return self._each_trial("evaluate", fitted, measured)

    def _trials_of(self, batch: TrialBatch) -> Iterator[tuple[EntityPart, Trial]]:
        trials = _read_trials(self.workspace)
        chosen = trials if batch.trial is None else [trials[batch.trial]]
        for part in self.parts.named(batch.models):
            for trial in chosen:
                yield part, trial

    def _each_trial(
        self,
        task: str,
        trials: Iterable[tuple[EntityPart, Trial]],
        work: Callable[[EntityPart, Trial], Result],
    ) -> BatchResult:
        done, failed = 0, []
        for part, trial in trials:
            result, failure = f"{task}-{trial.index}", f"failed-{trial.index}"
            part.forget(result, self.workspace)
            part.forget(failure, self.workspace)
            what = f"{part.label}: {trial.name}"
            found = outcome_of(what, partial(work, part, trial))
            if isinstance(found, Failure):
                part.write(failure, found, self.workspace)
                failed.append(f"{what}: {found.error}")
            else:
                part.write(result, found, self.workspace)
                done += 1
        if not done:
            raise TerminalError(one_of(failed, most=_SHOWN) or f"there is nothing to {task}")
        return BatchResult(done=done, failed=tuple(failed[:_SHOWN]))

    def select_best(self) -> list[EntityPart]:
        """Choose the best trial of each model.

        Raises:
            TerminalError: No model has one.
            TrackingError: The MLflow server does not answer.
        """
        trials = _read_trials(self.workspace)

        def selected(part: EntityPart) -> Selection:
            found = (
                part.find(f"evaluate-{trial.index}", Evaluation, self.workspace) for trial in trials
            )
            evaluations = [one for one in found if one is not None]
            if not evaluations:
                raise TerminalError(self._why_no_trial(part, trials))
            return select_best_one(
                evaluations,
                self._model_of(part),
                planned=len(trials),
                tracking=self.tracking,
                sweep=self._sweep_of(part),
            )

        return self._having(SWEEP).each(SELECTION, selected, self.workspace)

    def _why_no_trial(self, part: EntityPart, trials: Sequence[Trial]) -> str:
        for trial in trials:
            if failure := part.find(f"failed-{trial.index}", Failure, self.workspace):
                what = "its trial" if len(trials) == 1 else f"all {len(trials)} trials"
                return f"{what} failed: {failure.error}"
        return f"none of its {len(trials)} trials came to an end: see the logs of their tasks"

    def test(self) -> list[EntityPart]:
        """Measure each model's winner once, on the test rows of its own.

        Raises:
            TerminalError: No model could be tested.
            TrackingError: The MLflow server does not answer.
        """

        def tested(part: EntityPart) -> FinalTest:
            return final_test(
                part.read(SELECTION, Selection, self.workspace),
                self._model_of(part),
                part.folder(self.workspace),
                tracking=self.tracking,
                run=self._run_of(part),
                sweep=self._sweep_of(part),
                plots=part.entity is None or len(self.parts.all) <= MOST_WITH_PLOTS,
            )

        return self._having(SELECTION).each(TEST, tested, self.workspace)

    def register(self, whole: Sweep) -> list[EntityPart]:
        """Put each model's winner into the registry, and finish the MLflow run of the whole training.

        Raises:
            TerminalError: No model could be registered.
            TrackingError: The MLflow server does not answer.
        """

        def registered(part: EntityPart) -> Registration:
            return register_one(
                part.read(SELECTION, Selection, self.workspace),
                part.read(TEST, FinalTest, self.workspace),
                self._model_of(part),
                part.folder(self.workspace),
                tracking=self.tracking,
                run=self._run_of(part),
                sweep=self._sweep_of(part),
            )

        done = self._having(TEST).each(REGISTRATION, registered, self.workspace)
        self.tracking.finish(whole.parent_run_id)
        return done

    def _having(self, result: str) -> EntityParts:
        return EntityParts(self.parts.having(result, self.workspace))

    def _model_of(self, part: EntityPart) -> Model:
        return self.model if part.entity is None else self.model.for_entity

    def _run_of(self, part: EntityPart) -> TrainingRun:
        return replace(self.run, model=part.model, entity=part.entity)

    def _split_of(self, part: EntityPart) -> DividedRows:
        return part.read(SPLIT, DividedRows, self.workspace)

    def _sweep_of(self, part: EntityPart) -> Sweep:
        return part.read(SWEEP, Sweep, self.workspace)


def _read_trials(workspace: Path) -> tuple[Trial, ...]:
    return WHOLE.read(_TRIALS, _Trials, workspace).trials
