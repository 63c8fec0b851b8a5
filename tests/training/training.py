"""A whole training run, step after step, as the tasks of its DAG do it."""

from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import pyarrow as pa

from factory.models.tracking import Tracking
from factory.models.training_run import TrainingRun
from factory.training.final_test import FinalTest, final_test
from factory.training.model import Model
from factory.training.refit import refit
from factory.training.register import Registration, register
from factory.training.split import DividedRows, split
from factory.training.sweep import PlannedSweep, Selection, plan_trials, select_best
from factory.training.trial import Evaluation, evaluate, fit
from factory.training.trial_batch import SweepTrials


@dataclass
class Training:
    """One training run; values pass between steps as JSON."""

    rows: pa.Table
    model: Model
    workspace: Path
    uri: str
    run_id: str = "manual__1"
    snapshots: dict[str, int] = field(default_factory=lambda: {"marine.penguins": 3})
    name: str = field(default_factory=lambda: f"ecology.m_{uuid4().hex[:8]}")
    plots: bool = False
    """Whether the final test draws them: it takes longer than all the rest of a small training."""

    def __post_init__(self):
        self.tracking = Tracking(self.uri)
        self.run = TrainingRun(
            model=self.name,
            dag_id=f"{self.name}.train",
            run_id=self.run_id,
            config_hash=self.model.config_hash,
            snapshots=self.snapshots,
        )

    def plan(self) -> PlannedSweep:
        self.split = DividedRows.from_json(split(self.rows, self.model, self.workspace).as_json())
        planned = plan_trials(
            self.model, self.split, tracking=self.tracking, run=self.run, snapshots=[]
        )
        self.planned = PlannedSweep.from_json(planned.as_json())
        return self.planned

    @property
    def trials(self) -> SweepTrials:
        """What all trials have in common."""
        sweep = self.planned.sweep
        return SweepTrials(self.model, self.split, self.workspace, self.run, sweep, self.tracking)

    def evaluate(self, index: int, attempt: int = 1) -> Evaluation:
        fitted = fit(self.planned.trials[index], self.split, self.model, self.workspace)
        found = evaluate(
            fitted,
            self.model,
            self.workspace,
            tracking=self.tracking,
            run=self.run,
            sweep=self.planned.sweep,
            attempt=attempt,
        )
        return Evaluation.from_json(found.as_json())

    def select(self, evaluations: list[Evaluation]) -> Selection:
        found = select_best(
            evaluations,
            self.model,
            planned=len(self.planned.trials),
            tracking=self.tracking,
            sweep=self.planned.sweep,
        )
        return Selection.from_json(found.as_json())

    def refit(self, selection: Selection) -> Selection:
        found = refit(
            selection,
            self.split,
            self.model,
            self.workspace,
            tracking=self.tracking,
            sweep=self.planned.sweep,
        )
        return Selection.from_json(found.as_json())

    def test(self, selection: Selection) -> FinalTest:
        found = final_test(
            selection,
            self.model,
            self.workspace,
            tracking=self.tracking,
            run=self.run,
            sweep=self.planned.sweep,
            plots=self.plots,
        )
        return FinalTest.from_json(found.as_json())

    def register(self, selection: Selection, tested: FinalTest) -> Registration:
        return register(
            selection,
            tested,
            self.model,
            self.workspace,
            tracking=self.tracking,
            run=self.run,
            sweep=self.planned.sweep,
        )

    def all(self) -> Registration:
        self.plan()
        selection = self.select([self.evaluate(trial.index) for trial in self.planned.trials])
        if self.model.refits:
            selection = self.refit(selection)
        return self.register(selection, self.test(selection))
