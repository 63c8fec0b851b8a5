"""What a backend of one's own needs, which is as little as a plug-in's author must write."""

from pathlib import Path
from typing import Literal

import pytest
from pydantic import PrivateAttr, TypeAdapter

from factory.base.aws import AwsClients
from factory.training.backends.backend import (
    AnyBackend,
    Backend,
    CostProblem,
    JobRun,
    JobStatus,
    TrainingData,
    TrainingJob,
    cost_of,
)
from factory.training.backends.sagemaker import SageMaker
from factory.training.backends.sweep_jobs import TooExpensiveError, refuse_cost, stop_all
from factory.training.backends.trial_jobs import TrialJobs
from factory.training.search.strategy import Trial
from tests.training.backends.run import SAGEMAKER

TRIAL = Trial(index=0, name="Ridge", estimator="sklearn.linear_model.Ridge", params={})
DATA = TrainingData(address="memory:", digest="1")


class MemoryBackend(Backend):
    """Remembers its jobs."""

    type: Literal["memory"] = "memory"

    _jobs: dict[str, JobStatus] = PrivateAttr(default_factory=dict)

    def prepare(self, run: JobRun, settings: Path) -> TrainingData:
        return DATA

    def start(self, run: JobRun, job: TrainingJob) -> None:
        self._jobs.setdefault(job.name, JobStatus(job.name, "running"))

    def describe(self, run: JobRun, name: str) -> JobStatus | None:
        return self._jobs.get(name)

    def stop(self, run: JobRun, name: str) -> None:
        self._jobs[name] = JobStatus(name, "stopped", billed=7200)

    def collect(self, run: JobRun, name: str, folder: Path) -> Path:
        return folder

    def names(self, run: JobRun) -> list[str]:
        return sorted(name for name in self._jobs if name.startswith(run.prefix))

    def where(self, run: JobRun, name: str) -> str:
        return "It has no log."


@pytest.fixture
def run(tmp_path) -> JobRun:
    return JobRun("team-model-1-", "file:///lake", tmp_path, AwsClients(lambda _: None))


def test_backend_of_ones_own_starts_finds_and_stops_jobs(run):
    backend = TypeAdapter(AnyBackend).validate_python(MemoryBackend())
    jobs = TrialJobs(backend, run, TRIAL, DATA, labels={})
    name = jobs.begin()
    assert TrialJobs(backend, run, TRIAL, DATA, labels={}).begin() == name
    backend.release(run)
    spent = stop_all(backend, run, price=1.5)
    assert (spent.stopped, spent.billed, spent.cost) == ((name,), 7200, 3.0)
    assert jobs.begin() != name


def test_backend_without_a_price_costs_nothing():
    backend = MemoryBackend()
    assert backend.priced_as is None
    refuse_cost(backend, trials=1000, price=None)


def test_cost_is_told_with_all_figures_and_what_to_do():
    backend = SageMaker.model_validate({**SAGEMAKER, "max_runtime": "1h", "max_cost": 1.0})
    assert backend.cost_problem(2, 0.5) is None
    assert backend.cost_problem(3, None) == CostProblem(
        "`max_cost` needs the price of ml.m5.large",
        "write `prices: {ml.m5.large: <USD an hour>}` into configs/_defaults.yaml",
    )
    with pytest.raises(TooExpensiveError, match=r"3 trials of up to 1 h .* 1\.50 USD.*: raise it"):
        refuse_cost(backend, 3, 0.5)
    assert cost_of(1800, 2.0) == 1.0
