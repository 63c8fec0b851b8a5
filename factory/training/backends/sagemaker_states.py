"""What SageMaker says of a training job: how far it is, and why it failed."""

import re
from typing import Any

from factory.training.backends.backend import STOPPED, Failure, JobState
from factory.training.backends.job_layout import read_reason

STATES: dict[str, JobState] = {
    "InProgress": "running",
    "Stopping": "stopping",
    "Completed": "completed",
    "Failed": "failed",
    "Stopped": "stopped",
}
_OUT_OF_TIME = {
    "MaxRuntimeExceeded": Failure(
        "it was not done within `max_runtime`: raise that, or train less", terminal=True
    ),
    "MaxWaitTimeExceeded": Failure(
        "there was no spot capacity for long enough within `max_wait`: raise that, name another "
        "`instance_type`, or leave `spot` out"
    ),
}
_BY_THE_CODE = re.compile(r"AlgorithmError: (?P<text>.*?),? ?exit code: (?P<code>\d+)", re.DOTALL)
_KILLED = 137
"""The exit code of a process that was ended from outside, which here is for want of memory."""


def failure_of(reason: str) -> Failure:
    """SageMaker's `FailureReason`: the job's own words where it had any, else Amazon's.

    `AlgorithmError` is the container's, `ClientError` the request's (an image or data that cannot be
    had), and the others, such as `CapacityError` and `InternalServerError`, are for trying again.
    """
    found = _BY_THE_CODE.match(reason)
    if found and found["text"].strip():
        return Failure(*read_reason(found["text"]))
    if found and int(found["code"]) == _KILLED:
        return Failure("it ran out of memory: use a larger `instance_type`", terminal=True)
    return Failure(reason.strip().rstrip("."), terminal=reason.startswith("ClientError"))


def failure_in(state: JobState, secondary: str, reason: str) -> Failure | None:
    """Why a job in a state has no model; None where it has one, or may have one yet."""
    if state == "failed":
        return failure_of(reason)
    if state == "stopped":
        return _OUT_OF_TIME.get(secondary) or STOPPED
    return None


def detail_of(found: dict[str, Any]) -> str:
    """The secondary status, and what SageMaker last said of it."""
    transitions = found.get("SecondaryStatusTransitions") or [{}]
    message = transitions[-1].get("StatusMessage", "")
    return ": ".join(filter(None, (found.get("SecondaryStatus", ""), message)))
