"""One trial as a job: found if it is there, started if not, and brought back."""

import json
import logging
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from factory.base.errors import FactoryError, TerminalError
from factory.base.files import TEMPORARY, write_json
from factory.training.backends.backend import (
    Backend,
    JobRun,
    JobStatus,
    TrainingData,
    TrainingJob,
)
from factory.training.backends.job_files import take
from factory.training.backends.sweep_jobs import job_base
from factory.training.search.strategy import Trial
from factory.training.trial import Fit

logger = logging.getLogger(__name__)

_MOST = 99
"""Jobs that one trial may have in one run: the number has two digits in the name."""


class TooManyJobsError(FactoryError):
    """A trial has had all the jobs that it may have."""


@dataclass(frozen=True)
class TrialJobs:
    """The jobs of one trial of a run, of which one at most is at work.

    The workspace remembers which job the trial waits for, from before it is started until its end
    was told. So a task that takes over from one that died waits for the same job, whatever became
    of it, and one that comes after a failure that was told starts the next.
    """

    backend: Backend
    run: JobRun
    trial: Trial
    data: TrainingData
    labels: Mapping[str, str]

    def begin(self) -> str:
        """Start the trial's job, or find the one that was started before; returns its name.

        Raises:
            FactoryError: It could not be started.
        """
        waited_for = self._memory.get("waiting_for", "")
        if waited_for.startswith(self._base):
            left = self.status(waited_for)
            if left is None:
                self._start(waited_for)
                return waited_for
            # One that was stopped was so because the task that waited for it was not wanted any more.
            if left.state not in ("stopping", "stopped"):
                logger.info("taking over the training job %s, which was started before", waited_for)
                return waited_for
        name, found = self._next()
        self._remember(waiting_for=name)
        if found is None:
            self._start(name)
        else:
            logger.info("the training job %s is there already (%s)", name, found.state)
        return name

    def finish(self, name: str) -> Fit:
        """The model of a job that has ended, brought into the workspace.

        Raises:
            JobFailedError: The job failed, or was stopped.
            TerminalError: The job failed in a way that the next one would too, or what it left cannot
                be used.
            FactoryError: The job has not ended.
        """
        found = self.status(name)
        if found is None or found.active:
            raise FactoryError(
                f"training job {name} is {found.state if found else 'not there any more'}: try again"
            )
        if found.failure is not None:
            self._remember(waiting_for="")
            raise found.failure.error(name, self.backend.where(self.run, name))
        try:
            with tempfile.TemporaryDirectory(prefix=TEMPORARY) as folder:
                fit = take(
                    name,
                    self.backend.collect(self.run, name, Path(folder)),
                    self.trial,
                    self.run.workspace,
                )
        except TerminalError:
            self._reject(name)
            raise
        self._remember(waiting_for="")
        logger.info("training job %s is completed%s", name, _billed(found))
        return fit

    def status(self, name: str) -> JobStatus | None:
        """How a job is getting on; None if there is none of this name."""
        return self.backend.describe(self.run, name)

    def abandon(self, name: str) -> None:
        """Stop a job, and wait for it no more."""
        self.backend.stop(self.run, name)
        self._remember(waiting_for="")

    @property
    def _base(self) -> str:
        content = [self.trial.as_json(), self.data.digest, self.backend.container_image]
        return job_base(self.run.prefix, self.trial.index, content)

    def _next(self) -> tuple[str, JobStatus | None]:
        """The first job that has not ended badly; None with it if it is not there yet."""
        rejected = self._memory.get("rejected", "").split()
        for number in range(1, _MOST + 1):
            name = f"{self._base}-{number}"
            found = self.status(name)
            if found is None or (found.usable and name not in rejected):
                return name, found
        raise TooManyJobsError(
            f"trial {self.trial.index} ({self.trial.name}) had {_MOST} training jobs that failed: "
            "trigger a new run"
        )

    def _start(self, name: str) -> None:
        self.backend.start(
            self.run, TrainingJob(name=name, trial=self.trial, data=self.data, labels=self.labels)
        )

    def _reject(self, name: str) -> None:
        rejected = {*self._memory.get("rejected", "").split(), name}
        self._remember(waiting_for="", rejected=" ".join(sorted(rejected)))

    @property
    def _file(self) -> Path:
        return self.run.workspace / "jobs" / "trials" / f"{self.trial.index}.json"

    @property
    def _memory(self) -> dict[str, str]:
        try:
            found: dict[str, str] = json.loads(self._file.read_bytes())
        except FileNotFoundError:
            return {}
        return found

    def _remember(self, **changes: str) -> None:
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_json(self._file, {**self._memory, **changes})


def _billed(found: JobStatus) -> str:
    return "" if found.billed is None else f", {found.billed} s are billed"
