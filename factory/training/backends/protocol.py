"""What tasks need of wherever jobs run."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from factory.base.values import Result
from factory.training.backends.failures import Failure
from factory.training.search.trial import Trial

State = Literal["running", "stopping", "completed", "failed", "stopped"]


class TrainingData(Result):
    """What all jobs of a run train on, once it lies where they can read it."""

    address: str
    """Of the folder with the channels."""
    digest: str
    """Changes with the rows, the model's section, or how the rows were divided."""


@dataclass(frozen=True)
class Job:
    """A training job to be."""

    name: str
    trial: Trial
    data: TrainingData
    labels: Mapping[str, str]
    """What tells a person where it comes from."""


@dataclass(frozen=True)
class Description:
    """How a job is getting on."""

    name: str
    state: State
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


class Backend(Protocol):
    """Where jobs run."""

    def prepare(self, workspace: Path, settings: Path) -> TrainingData:
        """Bring a run's data to where its jobs can read them; nothing new if they are there.

        Args:
            workspace: The run's scratch folder, with the split.
            settings: The file `settings.json`.
        """
        ...

    def release(self) -> None:
        """Remove what `prepare` brought; nothing happens if it is gone."""
        ...

    def check(self, job: Job) -> None:
        """Check that a job would be taken, without asking anybody.

        Raises:
            TerminalError: It would not.
        """
        ...

    def start(self, job: Job) -> None:
        """Start a job. One of this name that there is already is left alone."""
        ...

    def describe(self, name: str) -> Description | None:
        """How a job is getting on; None if there is none of this name."""
        ...

    def stop(self, name: str) -> None:
        """Stop a job; nothing happens if there is none, or if it has ended."""
        ...

    def collect(self, name: str, folder: Path) -> Path:
        """The result of a job that is completed.

        Args:
            name: The job's.
            folder: An empty folder that may be used for it.

        Returns:
            A folder with what the job left as its model.

        Raises:
            TerminalError: It is not there any more, or is no archive that may be unpacked.
        """
        ...

    def names(self) -> list[str]:
        """All jobs of this run, whatever their state."""
        ...

    def where(self, name: str) -> str:
        """Says where a job's log is; a sentence."""
        ...
