"""A model with a past: three versions of it on real snapshots, gated, promoted, put back."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import palmerpenguins
import pytest

from factory.base.git import Commit
from factory.data.checks.report import CheckReport, CheckResult
from factory.data.publish import publish
from factory.data.rows import Rows
from factory.lake.write import Write
from factory.models import registry, switching
from factory.models.gate import gate, keep, promote
from factory.models.gate_decision import ApprovalAnswer
from factory.models.origin import StartEvent
from factory.models.promotion import Promotion
from factory.models.registry import Version
from factory.models.tracking import Tracking
from factory.training import plots
from factory.training.model import Model
from factory.training.rows import model_rows
from tests.data.rows import lake_in, rows_of
from tests.training.models import model, one_trial
from tests.training.training import Training

DATASET = "marine.penguins"
AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
COMMIT = Commit(sha="c0ffee" * 6 + "c0ff", is_changed=False)
CHECKS = CheckReport(
    (
        CheckResult("not_null", "not_null of species", "pass"),
        CheckResult("row_count", "row_count at least 400", "warn", 0, "there are 344"),
    ),
    rows=344,
)


@dataclass
class Past:
    """A lake, a registry, and how versions come about."""

    folder: Path
    uri: str
    name: str = ""
    runs: int = 0
    rows: int = field(default=0)

    def __post_init__(self) -> None:
        self.lake = lake_in(self.folder)
        self.tracking = Tracking(self.uri)

    def publish(self, rows: int) -> int:
        """A snapshot with the first rows; its version."""
        frame = palmerpenguins.load_penguins().head(rows)
        file = self.folder / f"{rows}.csv"
        frame.to_csv(file, index=False)
        found: Rows = rows_of(
            f"select * from read_csv('{file}', nullstr = ['NA', ''])", self.folder, f"rows {rows}"
        )
        published = publish(
            DATASET,
            found,
            Write(),
            lake=self.lake,
            run_id=f"manual__{rows}",
            report=CHECKS,
            origin={
                "dag_id": DATASET,
                "source": {"type": "csv", "path": "data/penguins.csv"},
                "read": {"marine.islands": 4},
            },
        )
        return published.snapshot.version

    def train(self, section: Model, snapshot: int) -> tuple[Training, Any]:
        """A registered version, and what the gate needs of its training."""
        self.runs += 1
        workspace = self.folder / f"run {self.runs}"
        workspace.mkdir()
        rows = model_rows(
            [DATASET],
            section.transforms,
            workspace=workspace,
            lake=self.lake,
            versions={DATASET: snapshot},
        )
        named = {"name": self.name} if self.name else {}
        training = Training(rows, section, workspace, self.uri, run_id=f"run {self.runs}", **named)
        training.run = replace(training.run, snapshots={DATASET: snapshot}, trigger="asset")
        self.name = training.name
        event = StartEvent(
            at=AT,
            says=f"New data: {DATASET} version {snapshot}",
            asset=DATASET,
            dag_id=DATASET,
            run_id=f"manual__{snapshot}",
        )
        planned = training.plan()
        self.tracking.log_origin(planned.sweep.parent_run_id, [event], COMMIT)
        selection = training.select([training.evaluate(one.index) for one in planned.trials])
        if section.refits:
            selection = training.refit(selection)
        tested = training.test(selection)
        training.register(selection, tested)
        return training, tested

    def decide(self, training: Training, tested: Any, answer: ApprovalAnswer | None = None) -> None:
        """What the gate decides of the newest version, and what comes of it."""
        record = registry.versions(self.name, tracking=self.tracking)[0].record
        rules = {"approval": {"required": True}} if answer else {}
        decision = gate(
            training.split,
            tested,
            training.model,
            Promotion.model_validate({"require": {"f1_macro": {"min": 0.1}}, **rules}),
            training.workspace,
            name=self.name,
            version=record.version,
            mlflow_run_id=record.mlflow_run_id,
            tracking=self.tracking,
        )
        if decision.verdict == "keep" or (answer and not answer.approved):
            keep(decision, answer, tracking=self.tracking)
        else:
            promote(decision, answer, by="the run", tracking=self.tracking)

    def version(self, number: int) -> Version:
        return registry.version(self.name, number, tracking=self.tracking)


@pytest.fixture(scope="session")
def past(tmp_path_factory: pytest.TempPathFactory, mlflow_server: str) -> Past:
    """Version 1 approved by ana, 2 of another configuration refused, 3 by hand in production and out again."""
    with pytest.MonkeyPatch.context() as patch:
        # Plots take a fifth of a training's time.
        patch.setattr(plots, "save_plots", lambda *_, **__: [])
        past = Past(tmp_path_factory.mktemp("past"), mlflow_server)
        good = model(train_on=DATASET)
        past.decide(
            *past.train(good, past.publish(300)), ApprovalAnswer(approved=True, by="ana", within=60)
        )
        poor = model(
            train_on=DATASET, search=one_trial("sklearn.tree.DecisionTreeClassifier", max_depth=1)
        )
        past.decide(*past.train(poor, past.publish(344)))
        past.train(good, 1)
        for number in (3, 1):
            switching.rollback(past.name, number, by="ben", why="a trial", tracking=past.tracking)
        for rows in (250, 260, 270):
            past.publish(rows)
    # Not within: this lives as long as the session, whose other tests draw.
    return past
