"""Trainings of one model, each up to the gate, for the tests of the gate."""

from factory.models import registry
from factory.models.gate import gate, promote
from factory.models.gate_decision import GateDecision
from factory.models.promotion import Promotion
from tests.training.models import one_trial, penguins
from tests.training.training import Training

GOOD = one_trial("sklearn.linear_model.LogisticRegression")
POOR = one_trial("sklearn.tree.DecisionTreeClassifier", max_depth=1)


class Life:
    """Trainings of one model, one after the other."""

    def __init__(self, folder, uri, name=None):
        self.folder, self.uri = folder, uri
        self.name = name
        self.run = 0

    def train(self, section, rows=None, *, plots=False) -> None:
        """Train up to the new version, whose workspace stays."""
        self.run += 1
        self.training = Training(
            penguins() if rows is None else rows,
            section,
            self.folder / str(self.run),
            self.uri,
            run_id=f"manual__{self.run}",
            plots=plots,
            **({"name": self.name} if self.name else {}),
        )
        self.name = self.training.name
        self.tracking = self.training.tracking
        self.training.plan()
        selection = self.training.select([self.training.evaluate(0)])
        self.tested = self.training.test(selection)
        self.version = self.training.register(selection, self.tested).record

    def decide(self, **rules) -> GateDecision:
        found = gate(
            self.training.split,
            self.tested,
            self.training.model,
            Promotion.model_validate(rules),
            self.training.workspace,
            name=self.name,
            version=self.version.version,
            mlflow_run_id=self.version.mlflow_run_id,
            tracking=self.tracking,
        )
        return GateDecision.from_json(found.as_json())

    def promote(self, decision, answer=None):
        return promote(decision, answer, by="the run", tracking=self.tracking)

    @property
    def champion(self) -> int | None:
        found = registry.champion(self.name, tracking=self.tracking)
        return found.number if found else None

    @property
    def note(self) -> str:
        run = self.tracking.client.get_run(self.version.mlflow_run_id)
        return run.data.tags["mlflow.note.content"]

    @property
    def tags(self) -> dict[str, str]:
        return registry.version(self.name, self.version.version, tracking=self.tracking).tags
