"""Whether AWS would take a request, before it is sent and without asking AWS.

First by botocore's own description of the API: names, types, lengths, patterns and choices (botocore
itself checks only the first three when it sends). Then by rules that stand in Amazon's documentation of
`CreateTrainingJob` and in no description.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from factory.base.aws import request_problems
from factory.base.errors import TerminalError

_LONGEST_RUNTIME = 28 * 24 * 3600


class InvalidRequestError(TerminalError):
    """AWS would refuse a request."""


def check_request(request: Mapping[str, Any]) -> None:
    """Check the request for a training job.

    Raises:
        InvalidRequestError: With everything that is wrong with it.
    """
    problems = [
        *request_problems("sagemaker", "CreateTrainingJob", request),
        *_by_the_documentation(request),
    ]
    if problems:
        raise InvalidRequestError(
            "SageMaker would refuse this training job: " + "; ".join(dict.fromkeys(problems))
        )


def _by_the_documentation(request: Mapping[str, Any]) -> Iterator[str]:
    yield from _time_limits(request)
    yield from _addresses(request)
    for repeated in _repeated(
        tag["Key"] for tag in request.get("Tags", ()) if isinstance(tag.get("Key"), str)
    ):
        yield f"Tags has the key {repeated!r} twice"
    for tag in request.get("Tags", ()):
        if str(tag.get("Key", "")).lower().startswith("aws:"):
            yield f"Tags has the key {tag['Key']!r}: those that begin with aws: are Amazon's own"
    names = (channel.get("ChannelName") for channel in request.get("InputDataConfig", ()))
    for repeated in _repeated(names):
        yield f"InputDataConfig has the channel {repeated!r} twice"


def _time_limits(request: Mapping[str, Any]) -> Iterator[str]:
    limits = request.get("StoppingCondition", {})
    runtime, wait = limits.get("MaxRuntimeInSeconds"), limits.get("MaxWaitTimeInSeconds")
    spot = request.get("EnableManagedSpotTraining", False)
    if isinstance(runtime, int) and runtime > _LONGEST_RUNTIME:
        yield f"MaxRuntimeInSeconds is {runtime}, and must be at most {_LONGEST_RUNTIME} (28 days)"
    if spot and (runtime is None or wait is None):
        yield "EnableManagedSpotTraining needs MaxRuntimeInSeconds and MaxWaitTimeInSeconds"
    if wait is not None and not spot:
        yield "MaxWaitTimeInSeconds is for spot training only: set EnableManagedSpotTraining"
    if isinstance(wait, int) and isinstance(runtime, int) and wait < runtime:
        yield (
            f"MaxWaitTimeInSeconds is {wait}, and must be at least MaxRuntimeInSeconds ({runtime})"
        )


def _addresses(request: Mapping[str, Any]) -> Iterator[str]:
    found = {
        "OutputDataConfig.S3OutputPath": request.get("OutputDataConfig", {}).get("S3OutputPath")
    }
    for channel in request.get("InputDataConfig", ()):
        source = channel.get("DataSource", {}).get("S3DataSource", {})
        found[f"the channel {channel.get('ChannelName')}'s S3Uri"] = source.get("S3Uri")
    for what, address in found.items():
        if isinstance(address, str) and not address.startswith("s3://"):
            yield f"{what} is {address!r}, and must begin with s3://"


def _repeated(names: Any) -> list[str]:
    return [name for name, times in Counter(names).items() if times > 1]
