"""S3's answers as errors that say what to do. Nothing that a server says about keys gets through."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from factory.base.aws import cause_of, code_of
from factory.lake.storage.access import Access
from factory.lake.storage.errors import (
    AccessDeniedError,
    NoBucketError,
    NoCredentialsError,
    NoFileError,
    StorageError,
)

_ELSEWHERE = {
    "PermanentRedirect",
    "301",
    "AuthorizationHeaderMalformed",
    "IllegalLocationConstraintException",
}

_CODE = re.compile(r"<Code>(\w+)</Code>")
_STATUS = re.compile(r"\b(?:status(?: code)?:? |HTTP (?:error: )?)?(403|301)\b")
_NO_CREDENTIALS = re.compile(r"(?i)no credentials|missing credential|credentials? provider")
_MARKUP = re.compile(r"\x1b\[[0-9;]*m|↳")
"""Colours and arrows for a terminal."""
_BODY = re.compile(r"<\?xml.*|<Error>.*", re.DOTALL)
"""The server's own words: they may hold the key, and what was signed with it."""
_CHARACTERS = 500


def explain(code: str, detail: str, address: str, access: Access) -> StorageError:
    """The error that belongs to S3's error code.

    Args:
        code: Such as `AccessDenied`; an HTTP status where S3 sends no code.
        detail: What else is known; shown where the code says too little.
        address: What was asked for.
        access: With which credentials.
    """
    bucket = address.removeprefix("s3://").partition("/")[0]
    at = f" at {access.endpoint}" if access.endpoint else ""
    cause = cause_of(code)
    if cause == "unknown credentials":
        return AccessDeniedError(
            f"S3{at} does not accept {access.origin} for bucket {bucket!r} ({code}): correct them; "
            "the key may be mistyped, deleted, or of another account"
        )
    if cause == "expired credentials":
        return StorageError(
            f"{access.origin} for bucket {bucket!r}{at} are temporary and have run out ({code}): "
            "try again; where no role renews them, put new ones in their place"
        )
    if cause == "denied":
        return AccessDeniedError(
            f"{access.origin} may not use {address}{at} ({code}): allow them s3:ListBucket on the "
            f"bucket {bucket!r}, and s3:GetObject, s3:PutObject, s3:DeleteObject and "
            "s3:AbortMultipartUpload on what is in it"
        )
    if code == "NoSuchBucket":
        return NoBucketError(
            f"there is no bucket {bucket!r}{at}: create it, or write `create_bucket: true` into "
            "configs/_defaults.yaml, or correct `storage`"
        )
    if code in _ELSEWHERE:
        return NoBucketError(
            f"bucket {bucket!r}{at} is not in region {access.region!r} ({code}): set AWS_REGION, or "
            "the connection's `region_name`, to the bucket's region"
        )
    words = _BODY.sub("", _MARKUP.sub("", detail)).split()
    text = access.without_secrets(" ".join(words))[:_CHARACTERS]
    return StorageError(f"{address}{at}: S3 failed ({code or 'no answer'}): {text}")


def explain_text(text: str, address: str, access: Access) -> StorageError:
    """The error that belongs to what another S3 client, such as deltalake's, says."""
    if found := _CODE.search(text) or _STATUS.search(text):
        return explain(found[1], text, address, access)
    if _NO_CREDENTIALS.search(text):
        return NoCredentialsError(f"{address}: {access.origin} cannot be had")
    return explain("", text, address, access)


@contextmanager
def explained(address: str, access: Access, *, missing: str = "") -> Iterator[None]:
    """Turn boto3's errors into ours.

    Args:
        address: What is asked for.
        access: With which credentials.
        missing: What to say where an object is not there.

    Raises:
        StorageError: Says what to do.
    """
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError, PartialCredentialsError
    from botocore.exceptions import NoCredentialsError as NoneFoundError

    try:
        yield
    except ClientError as error:
        code = code_of(error)
        if missing and code in ("NoSuchKey", "404"):
            raise NoFileError(missing) from None
        raise explain(code, str(error), address, access) from None
    except (NoneFoundError, PartialCredentialsError):
        access.delta_options()  # says what is missing, if all is
        raise NoCredentialsError(f"{address}: {access.origin} are incomplete") from None
    except (BotoCoreError, Boto3Error) as error:
        raise explain("", str(error), address, access) from None
