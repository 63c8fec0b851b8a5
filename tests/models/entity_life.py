"""Trainings of a model with `entities`, from the rows to the registry, as the tasks of its DAG do it."""

from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from factory.base.errors import TerminalError
from factory.models.entity_gate import EntitiesDecision, EntitiesOutcome, EntityGate, EntityLines
from factory.models.promotion import Promotion
from factory.models.tracking import Tracking
from factory.models.training_run import TrainingRun
from factory.training.entity_rows import FoundEntities, split_entities
from factory.training.entity_training import EntityTraining
from factory.training.model import Model
from factory.training.trial import Sweep
from factory.training.trial_batch import TrialBatch


@dataclass
class EntityRun:
    """One training run."""

    rows: pa.Table
    model: Model
    workspace: Path
    uri: str
    name: str
    run_id: str = "manual__1"
    most: int = 1024
    snapshots: dict[str, int] = field(default_factory=lambda: {"air.flights": 3})

    def __post_init__(self) -> None:
        self.tracking = Tracking(self.uri)
        run = TrainingRun(
            model=self.name,
            dag_id=f"{self.name}.train",
            run_id=self.run_id,
            config_hash=self.model.config_hash,
            snapshots=self.snapshots,
        )
        self.training = EntityTraining(self.model, self.workspace, run, self.tracking)

    def plan(self) -> list[TrialBatch]:
        self.found: FoundEntities = split_entities(
            self.rows, self.model, self.workspace, name=self.name
        )
        whole, self.batches = self.training.plan([], self.most)
        self.whole = Sweep.from_json(whole.as_json())
        return self.batches

    def train(self) -> None:
        """Up to the new versions."""
        self.plan()
        for batch in self.batches:
            # Airflow goes on with the other instances of the mapped task too.
            with suppress(TerminalError):
                self.training.train(TrialBatch.from_json(batch.as_json()), attempt=1)
        self.training.select_best()
        self.training.test()
        self.training.register(self.whole)

    @property
    def gate(self) -> EntityGate:
        return EntityGate(
            self.model, self.workspace, self.tracking, self.name, self.whole.parent_run_id
        )

    def decide(self, **rules) -> EntitiesDecision:
        return self.gate.decide(Promotion.model_validate(rules))

    def promote(self) -> tuple[EntitiesOutcome, dict]:
        return self.gate.promote(None, by="the run")

    @property
    def lines(self) -> EntityLines:
        return self.gate.lines()
