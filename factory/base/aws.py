"""Amazon Web Services: clients, errors that say whether to try again, and requests checked beforehand.

Module level is light: boto3 and botocore come with the extra `aws`.
"""

import logging
import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from factory.base.errors import FactoryError, TerminalError

log = logging.getLogger(__name__)

Session = Any
"""A `boto3.Session`."""

Cause = Literal["unknown credentials", "expired credentials", "denied", "throttled", "wrong"]
"""What is behind AWS's code for an error, whichever of its services has said it."""

_CODES: Mapping[Cause, frozenset[str]] = {
    "unknown credentials": frozenset(
        {
            *("InvalidAccessKeyId", "InvalidClientTokenId", "InvalidSignatureException"),
            *("InvalidToken", "SignatureDoesNotMatch", "UnrecognizedClientException"),
        }
    ),
    "expired credentials": frozenset(
        {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"}
    ),
    "denied": frozenset(
        {
            *("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "Forbidden", "403"),
            *("AccountProblem", "AllAccessDisabled"),
        }
    ),
    "throttled": frozenset(
        {
            *("RequestLimitExceeded", "SlowDown", "Throttling", "ThrottlingException"),
            "TooManyRequestsException",
        }
    ),
    "wrong": frozenset({"InvalidParameterException", "ValidationError", "ValidationException"}),
}
_ADVICE: Mapping[str, str] = {
    "unknown credentials": "AWS does not know the credentials: correct them",
    "expired credentials": "the credentials are temporary and have run out: try again; where no role "
    "renews them, put new ones in their place",
    "denied": "the credentials may not do this: allow it to their role",
    "throttled": "AWS was asked too often, and refused all tries",
}
_FINAL = ("unknown credentials", "denied", "wrong")
_KEY_ID = re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{12,}\b")
_MISSING = re.compile(r"(?i)not found|could not find|cannot find|does not exist")

_JAVA_CLASSES = {
    r"\p{L}": r"^\W\d_",
    r"\p{N}": r"\d",
    r"\p{Z}": r"\s",
    r"\p{Alnum}": "A-Za-z0-9",
}


class AwsError(FactoryError):
    """AWS did not do what it was asked; it may the next time."""


class AwsRefusedError(AwsError, TerminalError):
    """AWS will not do it, however often it is asked."""


def cause_of(code: str) -> Cause | None:
    """What is behind AWS's code for an error; None where nothing general is."""
    return next((cause for cause, codes in _CODES.items() if code in codes), None)


def code_of(error: BaseException) -> str:
    """AWS's code for an error; empty where it has none."""
    response: Mapping[str, Any] = getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Code", ""))


def message_of(error: BaseException) -> str:
    """AWS's words for an error, without keys."""
    response: Mapping[str, Any] = getattr(error, "response", None) or {}
    words = str(response.get("Error", {}).get("Message", "")) or str(error)
    return _KEY_ID.sub("***", words)


@contextmanager
def calling(
    doing: str,
    *,
    hints: Mapping[str, str] | None = None,
    final: Collection[str] = (),
    ignored: Collection[str] = (),
) -> Iterator[None]:
    """Turn the errors of boto3 and botocore into ours.

    Args:
        doing: What AWS is asked for, as in "could not <doing>".
        hints: What to do about an error, by AWS's code for it or by its cause.
        final: Codes of errors that no retry mends here, beside those of which that is always true.
        ignored: Codes that are all right: the block ends, and no error is raised.

    Raises:
        AwsRefusedError: Says what to do.
        AwsError: It may work the next time.
    """
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        if code_of(error) in ignored:
            log.info("AWS, asked to %s: %s", doing, message_of(error))
            return
        raise _of_code(error, doing, hints or {}, final) from None
    except (BotoCoreError, Boto3Error) as error:
        raise _without_code(error, doing) from None


def _of_code(
    error: Exception, doing: str, hints: Mapping[str, str], final: Collection[str]
) -> AwsError:
    code, cause = code_of(error), cause_of(code_of(error))
    # What AWS says of unknown credentials may hold the key, and what was signed with it.
    words = "" if cause == "unknown credentials" else message_of(error)
    hint = hints.get(code) or hints.get(cause or "", "")
    said = ". ".join(filter(None, (_ADVICE.get(cause or "", ""), words.strip().rstrip("."))))
    text = f"could not {doing}: {said} ({code}){'; ' if hint else ''}{hint}"
    return AwsRefusedError(text) if cause in _FINAL or code in final else AwsError(text)


def _without_code(error: Exception, doing: str) -> AwsError:
    from botocore.exceptions import (
        NoCredentialsError,
        ParamValidationError,
        PartialCredentialsError,
    )

    if isinstance(error, (NoCredentialsError, PartialCredentialsError)):
        return AwsRefusedError(
            f"could not {doing}: there are no complete credentials; name an Airflow connection of "
            "type `aws` as `connection`, or give this machine a role or AWS_* variables"
        )
    kind = AwsRefusedError if isinstance(error, ParamValidationError) else AwsError
    return kind(f"could not {doing}: {message_of(error)}")


def described(
    doing: str,
    call: Callable[..., Any],
    parameters: Mapping[str, str],
    *,
    hints: Mapping[str, str] | None = None,
) -> dict[str, Any] | None:
    """What a `describe_…` call answers; None where there is no such thing.

    Args:
        doing: As in "could not <doing>".
        call: The client's method.
        parameters: Its parameters.
        hints: As for `calling`.

    Raises:
        AwsError: AWS cannot be asked.
    """
    from botocore.exceptions import ClientError

    with calling(doing, hints=hints):
        try:
            found: dict[str, Any] = call(**parameters)
        except ClientError as error:
            # SageMaker says so of an unknown name with a code that means many things.
            is_unknown = code_of(error) in ("ValidationException", "ResourceNotFound")
            if is_unknown and _MISSING.search(message_of(error)):
                return None
            raise
    return found


@dataclass(frozen=True)
class AwsClients:
    """Clients of AWS, each made once; no secret is in its `repr`."""

    session: Callable[[str | None], Session] = field(repr=False)
    """A session by an Airflow connection's name; None for that which storage uses."""
    _made: dict[tuple[str | None, ...], Any] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def get(self, service: str, *, connection: str | None = None, region: str | None = None) -> Any:
        """A client that tries again, with jitter and at its own pace, when it is throttled.

        Args:
            service: Such as `sagemaker`.
            connection: As for `session`.
            region: The session's, or the environment's, when left out.

        Raises:
            AwsRefusedError: There are no credentials.
        """
        key = (service, connection, region)
        if key not in self._made:
            self._made[key] = client_of(self.session(connection), service, region)
        return self._made[key]


def client_of(session: Session, service: str, region: str | None = None) -> Any:
    """A client that tries again, with jitter and at its own pace, when it is throttled."""
    from botocore.config import Config

    # Adaptive: waits longer after each refusal, by chance so that tasks that were refused together
    # do not come back together, and sends fewer requests for a while.
    config = Config(
        retries={"mode": "adaptive", "total_max_attempts": 8}, connect_timeout=10, read_timeout=70
    )
    with calling(f"reach {service}"):
        region = region or session.region_name or os.environ.get("AWS_REGION") or "us-east-1"
        return session.client(service, region_name=region, config=config)


def request_problems(service: str, operation: str, request: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with a request by botocore's own description of the API, without asking AWS.

    Args:
        service: Such as `sagemaker`.
        operation: Such as `CreateTrainingJob`.
        request: Its parameters.
    """
    import botocore.session
    from botocore.validate import ParamValidator

    model = botocore.session.get_session().get_service_model(service)
    shape = model.operation_model(operation).input_shape
    found = ParamValidator().validate(dict(request), shape)
    if found.has_errors():
        yield from found.generate_report().splitlines()
        return  # what follows relies on the types
    yield from _beyond_types(request, shape, "")


def _beyond_types(value: Any, shape: Any, at: str) -> Iterator[str]:
    """Upper limits, patterns and choices, which botocore describes and leaves to the server."""
    kind = shape.type_name
    most = shape.metadata.get("max")
    if kind == "structure":
        for name, child in value.items():
            yield from _beyond_types(child, shape.members[name], f"{at}.{name}".lstrip("."))
    elif kind == "string":
        yield from _text_problems(value, shape, at)
    elif kind in ("list", "map"):
        if most is not None and len(value) > most:
            yield f"{at} has {len(value)} entries, and must have at most {most}"
        if kind == "list":
            for index, child in enumerate(value):
                yield from _beyond_types(child, shape.member, f"{at}[{index}]")
        else:
            for name, child in value.items():
                yield from _beyond_types(name, shape.key, f"the key {name!r} of {at}")
                yield from _beyond_types(child, shape.value, f"{at}.{name}")
    elif kind in ("integer", "long", "float", "double") and most is not None and value > most:
        yield f"{at} is {value}, and must be at most {most}"


def _text_problems(value: str, shape: Any, at: str) -> Iterator[str]:
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
