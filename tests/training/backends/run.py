"""A training run whose trials are jobs, as its tasks do it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from factory.training.backends.dispatch import backend_for, section_of
from factory.training.backends.names import run_prefix
from factory.training.backends.protocol import Backend, TrainingData
from factory.training.backends.settings import Settings
from factory.training.backends.sweep import prepare
from factory.training.backends.trial_jobs import TrialJobs
from factory.training.model import Model
from factory.training.search.trial import Trial
from factory.training.split import split
from tests.training.models import model, one_trial, penguins

SAGEMAKER = {
    "type": "sagemaker",
    "role": "arn:aws:iam::123456789012:role/training",
    "image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/training:1",
    "instance_type": "ml.m5.large",
    "max_runtime": "600s",
    "poll": "1s",
}
LOCAL = {"type": "local-process"}
MODEL = "ecology.species"
TREE = "sklearn.tree.DecisionTreeClassifier"
SLOW = "tests.training.backends.estimators.Slow"


@dataclass
class Run:
    """One run of a training DAG."""

    workspace: Path
    section: dict[str, Any]
    storage: str
    model: Model
    run_id: str = "manual__1"

    @property
    def prefix(self) -> str:
        return run_prefix(MODEL, storage=self.storage, dag_id=f"{MODEL}.train", run_id=self.run_id)

    @property
    def backend(self) -> Backend:
        """Made anew each time, as by tasks in processes of their own."""
        return backend_for(
            section_of(self.section),
            storage=self.storage,
            workspace=self.workspace,
            prefix=self.prefix,
        )

    @property
    def trials(self) -> tuple[Trial, ...]:
        return self.model.search.expand()

    def prepare(self) -> TrainingData:
        self.workspace.mkdir(exist_ok=True)
        self.split = divided = split(penguins(), self.model, self.workspace)
        settings = Settings(
            model=self.model.model_dump(mode="json", exclude_defaults=True),
            split=divided,
            processors="shared",
        )
        self.data = prepare(
            self.backend,
            settings,
            self.workspace,
            trials=self.trials,
            prefix=self.prefix,
            labels={"factory:model": MODEL},
        )
        return self.data

    def jobs(self, index: int = 0) -> TrialJobs:
        return TrialJobs(
            backend=self.backend,
            trial=self.trials[index],
            data=self.data,
            prefix=self.prefix,
            image=self.section.get("image", ""),
            labels={"factory:model": MODEL},
            workspace=self.workspace,
        )


def a_run(
    folder: Path, section: dict[str, Any], storage: str, estimator: str = TREE, **params: Any
) -> Run:
    config = model(search=one_trial(estimator, **params))
    run = Run(folder / "workspace", section, storage, config)
    run.prepare()
    return run
