"""A training run with one model for each entity: the steps of a training, for one entity after the other."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from factory.base.errors import TerminalError
from factory.base.texts import one_of
from factory.lake.snapshot import Snapshot
from factory.models.tracking import CONFIGURATION, Tracking
from factory.models.training_run import TrainingRun
from factory.training.entity_parts import EntityPart, EntityParts
from factory.training.entity_rows import SPLIT
from factory.training.final_test import FinalTest, final_test
from factory.training.first_trial import batch_size
from factory.training.model import Model
from factory.training.register import Registration
from factory.training.register import register as register_one
from factory.training.search.strategy import Trial
from factory.training.split import DividedRows
from factory.training.sweep import PlannedSweep, Selection, refuse_wrong, start_sweep
from factory.training.sweep import select_best as select_best_one
from factory.training.trial import Sweep
from factory.training.trial_batch import (
    LONGEST_NAME,
    BatchResult,
    SweepTrials,
    TrialBatch,
    batches_of,
    train_batch,
)

SWEEP = "sweep"
SELECTION = "selection"
TEST = "test"
REGISTRATION = "registration"

MOST_WITH_PLOTS = 30
"""With more models, only the fallback has plots and feature importances, which take longer than the rest of the test."""


def batches(
    parts: Sequence[EntityPart], trials: Sequence[Trial], *, size: int, most: int
) -> list[TrialBatch]:
    """What the instances of the mapped task train.

    Args:
        parts: The models.
        trials: The trials, which are the same for each model.
        size: How many trials an instance trains, of one model; with more than there are, all trials of some models.
        most: How many instances there may be.
    """
    for_each = batches_of(trials, min(size, len(trials)))
    if size <= len(trials) and len(parts) * len(for_each) <= most:
        return [
            TrialBatch(
                name=f"{part.label}: {batch.name}"[:LONGEST_NAME],
                trials=batch.trials,
                models=(part.name,),
            )
            for part in parts
            for batch in for_each
        ]
    size = max(size // len(trials), -(-len(parts) // most))
    groups = [parts[start : start + size] for start in range(0, len(parts), size)]
    return [
        TrialBatch(
            name=one_of((part.label for part in group), most=3)[:LONGEST_NAME],
            trials=tuple(trial.index for trial in trials),
            models=tuple(part.name for part in group),
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
    shown: Callable[[str], str] = str
    """Takes secrets out of what errors of trials say."""

    @cached_property
    def parts(self) -> EntityParts:
        """All models of the run."""
        return EntityParts.of(self.workspace, self.shown)

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
        PlannedSweep(sweep=whole, trials=trials, ends=(len(trials),)).save(self.workspace)

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
        first = self._trials_of(done[0])
        size = batch_size(self.model, trials, first, models=len(done), most=most)
        return whole, batches(done, trials, size=size, most=most)

    def sweeps(self) -> list[Sweep]:
        """The MLflow runs of entities."""
        parts = self.parts.having(SWEEP, self.workspace)
        return [self._sweep_of(part) for part in parts if part.entity is not None]

    def _start_whole(self, snapshots: Sequence[Snapshot]) -> Sweep:
        experiment_id = self.tracking.ensure_experiment(self.run.experiment)
        run_id = self.tracking.start_parent(experiment_id, self.run, snapshots)
        self.tracking.log_json(run_id, self.model.as_trained(), CONFIGURATION)
        return Sweep(experiment_id=experiment_id, parent_run_id=run_id)

    def train(self, batch: TrialBatch, attempt: int) -> BatchResult:
        """Train a batch's trials, measure them and log them to MLflow.

        Raises:
            TerminalError: None of them could be trained and measured.
            TrackingError: The MLflow server does not answer.
        """
        trials = PlannedSweep.of(self.workspace).trials
        chosen = [trials[index] for index in batch.trials]
        models = [self._trials_of(part) for part in self.parts.named(batch.models)]
        each = [(of, trial) for of in models for trial in chosen]
        return train_batch(each, attempt=attempt, may_fail=True)

    def _trials_of(self, part: EntityPart) -> SweepTrials:
        return SweepTrials(
            self._model_of(part),
            self._split_of(part),
            part.folder(self.workspace),
            self._run_of(part),
            self._sweep_of(part),
            self.tracking,
            part.label,
            self.shown,
        )

    def select_best(self) -> list[EntityPart]:
        """Choose the best trial of each model.

        Raises:
            TerminalError: No model has one.
            TrackingError: The MLflow server does not answer.
        """
        trials = PlannedSweep.of(self.workspace).trials

        def selected(part: EntityPart) -> Selection:
            of = self._trials_of(part)
            evaluations, failures = of.outcomes(trials)
            left_out = sum(map(of.is_left_out, trials))
            if not evaluations and not left_out:
                raise TerminalError(_why_no_trial(trials, failures))
            return select_best_one(
                evaluations,
                of.model,
                planned=len(trials),
                left_out=left_out,
                failures=failures,
                tracking=self.tracking,
                sweep=of.sweep,
                plots=self._is_drawn(part),
            )

        return self._having(SWEEP).each(SELECTION, selected, self.workspace)

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
                plots=self._is_drawn(part),
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
        return replace(self.parts, all=self.parts.having(result, self.workspace))

    def _is_drawn(self, part: EntityPart) -> bool:
        return part.entity is None or len(self.parts.all) <= MOST_WITH_PLOTS

    def _model_of(self, part: EntityPart) -> Model:
        return self.model if part.entity is None else self.model.for_entity

    def _run_of(self, part: EntityPart) -> TrainingRun:
        return replace(self.run, model=part.model, entity=part.entity)

    def _split_of(self, part: EntityPart) -> DividedRows:
        return part.read(SPLIT, DividedRows, self.workspace)

    def _sweep_of(self, part: EntityPart) -> Sweep:
        return part.read(SWEEP, Sweep, self.workspace)


def _why_no_trial(trials: Sequence[Trial], failures: Mapping[str, str]) -> str:
    if not failures:
        return f"none of its {len(trials)} trials came to an end: see the logs of their tasks"
    what = "its trial" if len(trials) == 1 else f"all {len(trials)} trials"
    return f"{what} failed: {next(iter(failures.values()))}"
