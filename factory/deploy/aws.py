"""What deployments to AWS share: sessions, and errors that say whether to try again."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from factory.base.errors import FactoryError, TerminalError
from factory.lake.storage import access

Session = Any
"""A `boto3.Session`."""

_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"}
_UNKNOWN = {
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "SignatureDoesNotMatch",
    "InvalidSignatureException",
}
_WRONG = {"ValidationException", "ValidationError", "InvalidParameterException"}


class AwsError(FactoryError):
    """AWS did not do what it was asked; it may the next time."""


class AwsRefusedError(AwsError, TerminalError):
    """AWS will not do it, however often it is asked."""


def client_of(session: Session, service: str, region: str | None = None) -> Any:
    """A client that tries again, with jitter and at its own pace, when it is throttled.

    Args:
        session: Whose credentials.
        service: Such as `sagemaker`.
        region: The session's, or that of storage, when left out.
    """
    from botocore.config import Config

    config = Config(retries={"mode": "adaptive", "max_attempts": 10}, read_timeout=70)
    with calling(f"reach {service}"):
        return session.client(
            service,
            region_name=region or session.region_name or access.current().region,
            config=config,
        )


@contextmanager
def calling(doing: str, *, hints: Mapping[str, str] | None = None) -> Iterator[None]:
    """Turn boto3's errors into ours.

    Args:
        doing: What AWS is asked for, as in "could not <doing>".
        hints: By AWS's code for an error that no retry mends: what to do about it.

    Raises:
        AwsRefusedError: Says what to do.
        AwsError: It may work the next time.
    """
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (ClientError, BotoCoreError, Boto3Error) as error:
        raise explained(error, doing, hints or {}) from None


def code_of(error: BaseException) -> str:
    """AWS's code for an error; empty where it has none."""
    response: Mapping[str, Any] = getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Code", ""))


def message_of(error: BaseException) -> str:
    """AWS's words for an error."""
    response: Mapping[str, Any] = getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Message", "")) or str(error)


def explained(error: Exception, doing: str, hints: Mapping[str, str]) -> Exception:
    """The error of ours that belongs to one of boto3's; others as they are."""
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import (
        BotoCoreError,
        ClientError,
        NoCredentialsError,
        NoRegionError,
        ParamValidationError,
        PartialCredentialsError,
    )

    if isinstance(error, (NoCredentialsError, PartialCredentialsError)):
        return AwsRefusedError(
            f"could not {doing}: there are no complete credentials; name an Airflow connection of "
            "type `aws` as `connection`, or give this machine a role or AWS_* variables"
        )
    if isinstance(error, NoRegionError):
        return AwsRefusedError(
            f"could not {doing}: no region is named; write `region`, or set AWS_DEFAULT_REGION"
        )
    if isinstance(error, ParamValidationError):
        return AwsRefusedError(f"could not {doing}: {error}")
    if isinstance(error, ClientError):
        return _of_code(error, doing, hints)
    if isinstance(error, (BotoCoreError, Boto3Error)):
        return AwsError(f"could not {doing}: {error}")
    return error


def _of_code(error: Exception, doing: str, hints: Mapping[str, str]) -> AwsError:
    code, message = code_of(error), message_of(error)
    if code in hints:
        return AwsRefusedError(f"could not {doing}: {message} ({code}); {hints[code]}")
    if code in _UNKNOWN:
        return AwsRefusedError(
            f"could not {doing}: AWS does not know the credentials ({code}): correct them"
        )
    if code in _DENIED:
        return AwsRefusedError(
            f"could not {doing}: the credentials may not ({code}): {message}; allow it to their role"
        )
    if code in _WRONG:
        return AwsRefusedError(f"could not {doing}: {message} ({code})")
    return AwsError(f"could not {doing}: {message} ({code})")
