"""A training run whose trials are jobs, as its tasks do it."""

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
from pydantic import TypeAdapter

from factory.base.aws import AwsClients
from factory.lake.storage import access
from factory.training.backends.backend import (
    AnyBackend,
    JobRun,
    JobStatus,
    TrainingData,
)
from factory.training.backends.job_files import JobSettings
from factory.training.backends.sweep_jobs import Spent, prepare, run_prefix, stop_all
from factory.training.backends.trial_jobs import TrialJobs
from factory.training.model import Model
from factory.training.search.strategy import Trial
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


def session(_: str | None) -> Any:
    return access.current().session


@dataclass(frozen=True)
class RunBackend:
    """A backend that is asked about the jobs of one run."""

    kind: Any
    run: JobRun

    def __getattr__(self, name: str) -> Any:
        return partial(getattr(self.kind, name), self.run)

    def describe(self, name: str) -> JobStatus | None:
        found: JobStatus | None = self.kind.describe(self.run, name)
        return found

    def stop_all(self, price: float | None = None) -> Spent:
        return stop_all(self.kind, self.run, price)


@dataclass
class Run:
    """One run of a training DAG."""

    workspace: Path
    section: dict[str, Any]
    storage: str
    model: Model
    run_id: str = "manual__1"
    rows: pa.Table = field(default_factory=penguins)

    @property
    def prefix(self) -> str:
        return run_prefix(MODEL, storage=self.storage, dag_id=f"{MODEL}.train", run_id=self.run_id)

    @property
    def backend(self) -> "RunBackend":
        """Made anew each time, as by tasks in processes of their own."""
        run = JobRun(self.prefix, self.storage, self.workspace, AwsClients(session))
        return RunBackend(TypeAdapter(AnyBackend).validate_python(self.section), run)

    @property
    def trials(self) -> tuple[Trial, ...]:
        return self.model.search.expand()

    def prepare(self) -> TrainingData:
        self.workspace.mkdir(exist_ok=True)
        self.split = divided = split(self.rows, self.model, self.workspace)
        settings = JobSettings(
            model=self.model.model_dump(mode="json", exclude_defaults=True),
            split=divided,
            processors="shared",
        )
        self.data = prepare(
            self.backend.kind,
            self.backend.run,
            settings,
            trials=self.trials,
            labels={"factory:model": MODEL},
        )
        return self.data

    def jobs(self, index: int = 0) -> TrialJobs:
        return TrialJobs(
            backend=self.backend.kind,
            run=self.backend.run,
            trial=self.trials[index],
            data=self.data,
            labels={"factory:model": MODEL},
        )


def a_run(
    folder: Path, section: dict[str, Any], storage: str, estimator: str = TREE, **params: Any
) -> Run:
    config = model(search=one_trial(estimator, **params))
    run = Run(folder / "workspace", section, storage, config)
    run.prepare()
    return run
