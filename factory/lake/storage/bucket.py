"""The bucket of a lake in S3, made where there is none."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from factory.base.aws import code_of
from factory.lake.storage import access
from factory.lake.storage.address import is_s3
from factory.lake.storage.errors import NoBucketError, NoCredentialsError, NoSuchStorageError
from factory.lake.storage.object_store import S3

log = logging.getLogger(__name__)

_NOT_SPOKEN = {"NotImplemented", "MethodNotAllowed", "501"}

_UNFINISHED_UPLOADS = {
    "ID": "factory-unfinished-uploads",
    "Status": "Enabled",
    "Filter": {"Prefix": ""},
    # Parts of uploads that died are invisible, and paid for until somebody removes them.
    "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
}


def make_bucket(storage: str) -> bool:
    """Make the bucket of an address if it is not there; a bucket that is there is left as it is.

    The new one is private, in the region that the connection or the environment names, and throws
    parts of uploads that died away after seven days.

    Args:
        storage: An address such as `s3://bucket/lake`.

    Returns:
        Whether it was made.

    Raises:
        NoBucketError: The name belongs to somebody else.
        AccessDeniedError: The credentials may not do this.
        StorageError: S3 failed.
    """
    if not is_s3(storage):
        raise NoSuchStorageError(f"{storage} has no bucket: only s3://bucket/… has")
    store = S3(storage)
    bucket, region = store.bucket, store.access.region
    client = store.access.client()
    if _is_there(client, store):
        return False
    with _explained(store):
        from botocore.exceptions import ClientError

        where = {"CreateBucketConfiguration": {"LocationConstraint": region}}
        try:
            # Amazon's first region is the one that must not be named.
            client.create_bucket(
                Bucket=bucket, **(where if region != access.DEFAULT_REGION else {})
            )
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code == "BucketAlreadyOwnedByYou":  # another run was faster
                return False
            if code == "BucketAlreadyExists":
                raise NoBucketError(
                    f"the name of bucket {bucket!r} belongs to somebody else: buckets are named "
                    "once in the world; correct `storage`"
                ) from None
            raise
        _make_private(client, bucket)
    log.info("made bucket %s in %s", bucket, region)
    return True


def _is_there(client: Any, store: S3) -> bool:
    from botocore.exceptions import ClientError

    with _explained(store):
        try:
            client.head_bucket(Bucket=store.bucket)
        except ClientError as error:
            if error.response["Error"]["Code"] in ("404", "NoSuchBucket"):
                return False
            raise
    return True


def _make_private(client: Any, bucket: str) -> None:
    """Let nobody else in, and let unfinished uploads go; servers other than Amazon's may lack this."""
    from botocore.exceptions import ClientError

    try:
        client.put_public_access_block(
            Bucket=bucket,
            PublicAccessBlockConfiguration={
                "BlockPublicAcls": True,
                "IgnorePublicAcls": True,
                "BlockPublicPolicy": True,
                "RestrictPublicBuckets": True,
            },
        )
        client.put_bucket_lifecycle_configuration(
            Bucket=bucket, LifecycleConfiguration={"Rules": [_UNFINISHED_UPLOADS]}
        )
    except ClientError as error:
        if error.response["Error"]["Code"] not in _NOT_SPOKEN:
            raise
        log.warning("bucket %s: this server cannot set who may read it, or what it forgets", bucket)


@contextmanager
def _explained(store: S3) -> Iterator[None]:
    """Turn boto3's errors into those that say what to do."""
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError, PartialCredentialsError
    from botocore.exceptions import NoCredentialsError as NoneFoundError

    try:
        yield
    except ClientError as error:
        raise store.explain(str(error), code=code_of(error)) from None
    except (NoneFoundError, PartialCredentialsError):
        store.delta_options()  # says what is missing, if all is
        raise NoCredentialsError(f"{store.address}: {store.access.origin} are incomplete") from None
    except (BotoCoreError, Boto3Error) as error:
        raise store.explain(str(error)) from None
