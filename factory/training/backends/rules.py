"""Whether AWS would take a request, before it is sent and without asking AWS.

First by botocore's own description of the API: names, types, lengths, patterns and choices (botocore
itself checks only the first three when it sends). Then by rules that stand in Amazon's documentation of
`CreateTrainingJob` and in no description.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from factory.base.errors import TerminalError

_LONGEST_RUNTIME = 28 * 24 * 3600
_JAVA_CLASSES = {
    r"\p{L}": r"^\W\d_",
    r"\p{N}": r"\d",
    r"\p{Z}": r"\s",
    r"\p{Alnum}": "A-Za-z0-9",
}


class InvalidRequestError(TerminalError):
    """AWS would refuse a request."""


def check_request(request: Mapping[str, Any]) -> None:
    """Check the request for a training job.

    Raises:
        InvalidRequestError: With everything that is wrong with it.
    """
    problems = [
        *by_the_description("CreateTrainingJob", request),
        *_by_the_documentation(request),
    ]
    if problems:
        raise InvalidRequestError(
            "SageMaker would refuse this training job: " + "; ".join(dict.fromkeys(problems))
        )


def by_the_description(operation: str, request: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with a request by botocore's own description of SageMaker's API.

    Args:
        operation: Such as `CreateTrainingJob`.
        request: Its parameters.
    """
    import botocore.session
    from botocore.validate import ParamValidator

    service = botocore.session.get_session().get_service_model("sagemaker")
    shape = service.operation_model(operation).input_shape
    report = ParamValidator().validate(dict(request), shape)
    if report.has_errors():
        yield from report.generate_report().splitlines()
        return  # what follows relies on the types
    yield from _beyond_types(request, shape, "")


def _beyond_types(value: Any, shape: Any, at: str) -> Iterator[str]:
    """Upper limits, patterns and choices, which botocore leaves to the server."""
    kind = shape.type_name
    if kind == "structure":
        for name, child in value.items():
            yield from _beyond_types(child, shape.members[name], f"{at}.{name}".lstrip("."))
    elif kind == "list":
        yield from _too_many(value, shape, at)
        for index, child in enumerate(value):
            yield from _beyond_types(child, shape.member, f"{at}[{index}]")
    elif kind == "map":
        yield from _too_many(value, shape, at)
        for name, child in value.items():
            yield from _beyond_types(name, shape.key, f"the key {name!r} of {at}")
            yield from _beyond_types(child, shape.value, f"{at}.{name}")
    elif kind == "string":
        yield from _text(value, shape, at)
    elif kind in ("integer", "long", "float", "double"):
        most = shape.metadata.get("max")
        if most is not None and value > most:
            yield f"{at} is {value}, and must be at most {most}"


def _too_many(value: Any, shape: Any, at: str) -> Iterator[str]:
    most = shape.metadata.get("max")
    if most is not None and len(value) > most:
        yield f"{at} has {len(value)} entries, and must have at most {most}"


def _text(value: str, shape: Any, at: str) -> Iterator[str]:
    most, pattern = shape.metadata.get("max"), shape.metadata.get("pattern")
    if most is not None and len(value) > most:
        yield f"{at} has {len(value)} characters, and must have at most {most}"
    if shape.enum and value not in shape.enum:
        yield (
            f"{at} is {value!r}, which this version of botocore does not know: correct it, or "
            "update boto3 if it is new"
        )
    if pattern and not re.fullmatch(_in_python(pattern), value, re.DOTALL):
        yield f"{at} is {value!r}, and must match {pattern}"


def _in_python(pattern: str) -> str:
    """The pattern with Java's character classes as Python has them."""
    if r"[\p{L}" in pattern:  # letters of any alphabet have no name within a class
        pattern = pattern.replace(r"[\p{L}", r"[\w")
    for name, python in _JAVA_CLASSES.items():
        pattern = pattern.replace(name, python)
    return pattern


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
