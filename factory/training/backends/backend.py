"""What every kind of backend has in common: somewhere that trials are trained as jobs."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from factory.base.aws import AwsClients
from factory.base.errors import FactoryError, TerminalError
from factory.base.section import Section
from factory.base.values import Result
from factory.kinds import BACKEND, KindOf
from factory.training.search.strategy import Trial

HOUR = 3600

JobState = Literal["running", "stopping", "completed", "failed", "stopped"]


class TrainingData(Result):
    """What all jobs of a run train on, once it lies where they can read it."""

    address: str
    """Of the folder with the channels."""
    digest: str
    """Changes with the rows, the model's section, or how the rows were divided."""


@dataclass(frozen=True)
class JobRun:
    """One run of a training DAG whose trials are jobs: what a backend is told beside its section."""

    prefix: str
    """What the names of this run's jobs begin with, and those of no other run."""
    storage: str
    """The lake's address."""
    workspace: Path
    """The run's scratch folder, with the split; not to be read where only jobs are asked about."""
    aws: AwsClients = field(compare=False)
    """Clients of AWS with the credentials that storage uses."""


@dataclass(frozen=True)
class TrainingJob:
    """A training job to be."""

    name: str
    """At most 63 letters, digits and hyphens."""
    trial: Trial
    data: TrainingData
    labels: Mapping[str, str]
    """What tells a person where it comes from."""


class JobFailedError(FactoryError):
    """A job failed; the next one may do better."""


class JobRefusedError(JobFailedError, TerminalError):
    """A job failed, and so would the next."""


@dataclass(frozen=True)
class Failure:
    """Why a job failed."""

    text: str
    terminal: bool = False
    """Whether another job would fail likewise."""

    def error(self, job: str, where: str) -> JobFailedError:
        """The error of the task that waited.

        Args:
            job: The job's name.
            where: Where its log is.
        """
        kind = JobRefusedError if self.terminal else JobFailedError
        return kind(f"training job {job} failed: {self.text}. {where}")


STOPPED = Failure(
    "it was stopped, and not by its task: clear the task to train the trial again", terminal=True
)
"""Of a job that somebody stopped, who will not want the next one."""


@dataclass(frozen=True)
class JobStatus:
    """How a job is getting on."""

    name: str
    state: JobState
    detail: str = ""
    """Where it is in its state, in the backend's words."""
    failure: Failure | None = None
    """Of one that failed or was stopped."""
    billed: int | None = None
    """Seconds that are paid for; None where nothing is, or nobody knows yet."""

    @property
    def usable(self) -> bool:
        """Whether it is at work, or done."""
        return self.state in ("running", "completed")

    @property
    def active(self) -> bool:
        """Whether it occupies a machine, or will."""
        return self.state in ("running", "stopping")


@dataclass(frozen=True)
class CostProblem:
    """Why a sweep may cost too much, and what to do about it."""

    message: str
    advice: str


class Backend(Section):
    """Where trials are trained, when not in the tasks themselves.

    A kind of backend is a subclass. Its fields are what a team may write, `type` is a `Literal` with
    the kind's name, and its methods start jobs and tell how they are getting on. Each job runs
    `factory-train`, which reads and leaves files as a training container of SageMaker does: see
    `factory.training.backends.job_layout`, and `factory.training.backends.job_files` for what is in them.

    Tasks are repeated after failures, and several ask at once: whatever is there already is left as
    it is. Secrets are no fields: they belong into an Airflow connection, or the environment.
    """

    type: str

    own_machine: ClassVar[bool] = True
    """Whether a job has its machine to itself; otherwise the jobs of a sweep share one."""
    waits_in_task: ClassVar[bool] = False
    """Whether a task stays at work while its job is, by `wait` and `printed`. Otherwise it frees its
    worker, and Airflow's triggerer asks `describe` every `poll_seconds`."""

    @property
    def poll_seconds(self) -> int:
        """How often the triggerer asks about a job."""
        return 30

    @property
    def container_image(self) -> str:
        """The container image that jobs run in, which is part of what decides what they make."""
        return ""

    @property
    def priced_as(self) -> str | None:
        """What `prices` in `_defaults.yaml` calls an hour of a job; None where jobs cost nothing."""
        return None

    def most_cost(self, trials: int, price: float) -> float:
        """What a sweep may cost at most, in USD.

        Args:
            trials: How many there are.
            price: USD an hour.
        """
        del trials, price
        return 0.0

    def cost_problem(self, trials: int, price: float | None) -> CostProblem | None:
        """Why a sweep may cost more than the section allows; None where it cannot.

        Args:
            trials: How many there are.
            price: USD an hour; None where `_defaults.yaml` has none.
        """
        del trials, price
        return None

    @abstractmethod
    def prepare(self, run: JobRun, settings: Path) -> TrainingData:
        """Bring a run's data to where its jobs can read them; nothing new if they are there.

        Args:
            run: The run; its workspace has the split.
            settings: The file `settings.json`.
        """

    def release(self, run: JobRun) -> None:
        """Remove what `prepare` brought; nothing happens if it is gone."""

    def check(self, run: JobRun, job: TrainingJob) -> None:
        """Check that a job would be taken, without asking anybody.

        Raises:
            TerminalError: It would not.
        """

    @abstractmethod
    def start(self, run: JobRun, job: TrainingJob) -> None:
        """Start a job. One of this name that there is already is left alone."""

    @abstractmethod
    def describe(self, run: JobRun, name: str) -> JobStatus | None:
        """How a job is getting on; None if there is none of this name."""

    @abstractmethod
    def stop(self, run: JobRun, name: str) -> None:
        """Stop a job; nothing happens if there is none, or if it has ended."""

    @abstractmethod
    def collect(self, run: JobRun, name: str, folder: Path) -> Path:
        """The result of a job that is completed.

        Args:
            run: The run.
            name: The job's.
            folder: An empty folder that may be used for it.

        Returns:
            A folder with what the job left as its model.

        Raises:
            TerminalError: It is not there any more, or is no archive that may be unpacked.
        """

    @abstractmethod
    def names(self, run: JobRun) -> list[str]:
        """All jobs of a run, whatever their state."""

    @abstractmethod
    def where(self, run: JobRun, name: str) -> str:
        """Where a job's log is; a sentence."""

    def wait(self, run: JobRun, name: str, seconds: float) -> bool:
        """Wait for a job's end for at most so many seconds; returns whether it has ended."""
        raise NotImplementedError(f"{type(self).__name__} is not waited for in a task")

    def printed(self, run: JobRun, name: str) -> Iterator[str]:
        """What a job prints, line by line; an empty text where there is nothing new yet."""
        raise NotImplementedError(f"{type(self).__name__} is not waited for in a task")


AnyBackend = Annotated[Backend, KindOf(BACKEND)]
"""Any kind of backend."""


def cost_of(seconds: int, price: float) -> float:
    """What seconds of a machine cost in USD, at a price in USD an hour."""
    return seconds / HOUR * price
