"""Why jobs fail: from the text that a job leaves to the error of the task that waits for it."""

import re
from dataclasses import dataclass

from factory.base.errors import FactoryError, TerminalError

_TERMINAL = f"{TerminalError.__name__}: "
_BY_THE_CODE = re.compile(r"AlgorithmError: (?P<text>.*?),? ?exit code: (?P<code>\d+)", re.DOTALL)
_KILLED = 137
"""The exit code of a process that was ended from outside, which here is for want of memory."""


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


def as_reason(error: BaseException) -> str:
    """What a job leaves as its reason for an error."""
    if isinstance(error, TerminalError):
        return f"{_TERMINAL}{error}"
    if isinstance(error, FactoryError):
        return str(error)
    return f"{type(error).__name__}: {error}"


def from_reason(reason: str) -> Failure:
    """What `as_reason` wrote."""
    text = reason.strip().rstrip(".")
    if text.startswith(_TERMINAL):
        return Failure(text.removeprefix(_TERMINAL), terminal=True)
    return Failure(text or "it left no reason")


def from_sagemaker(reason: str) -> Failure:
    """SageMaker's `FailureReason`: the job's own words where it had any, else Amazon's.

    `AlgorithmError` is the container's, `ClientError` the request's (an image or data that cannot be
    had), and the others, such as `CapacityError` and `InternalServerError`, are for trying again.
    """
    found = _BY_THE_CODE.match(reason)
    if found and found["text"].strip():
        return from_reason(found["text"])
    if found and int(found["code"]) == _KILLED:
        return Failure("it ran out of memory: use a larger `instance_type`", terminal=True)
    return Failure(reason.strip().rstrip("."), terminal=reason.startswith("ClientError"))
