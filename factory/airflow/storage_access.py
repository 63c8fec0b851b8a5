"""Credentials for S3 out of an Airflow connection: had when a task starts, kept in its process only."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from factory.airflow import masking
from factory.base.errors import TerminalError

if TYPE_CHECKING:
    from factory.lake.storage.access import Access


@contextmanager
def storage_access(connection: str | None) -> Iterator[None]:
    """Let the lake and `factory.lake.storage.files` use a connection's credentials within the block.

    Args:
        connection: An Airflow connection of type `aws`; None leaves it to the environment.

    Raises:
        TerminalError: There is no such connection, it is of another type, or the extra `aws` is not
            installed.
        AccessDeniedError: The role that it names may not be had.
    """
    if connection is None:
        yield
        return
    from factory.lake.storage.access import using

    with using(access_of(connection)):
        yield


def access_of(connection: str) -> "Access":
    """How S3 is reached with an Airflow connection's credentials, region and endpoint.

    A role that the connection names (`role_arn`) is assumed, and again before its time runs out.

    Raises:
        TerminalError: There is no such connection, it is of another type, or the extra `aws` is not
            installed.
        AccessDeniedError: The role may not be had.
    """
    from factory.lake.storage.access import Access, endpoint_in_environment

    hook = _hook(connection)
    session = _session(hook, connection)
    endpoint = hook.conn_config.get_service_endpoint_url("s3") or endpoint_in_environment()
    access = Access(session, endpoint, connection)
    _mask(session)
    return access


def aws_session(connection: str) -> Any:
    """A boto3 session of an Airflow connection, for services other than S3.

    Raises:
        TerminalError: There is no such connection, it is of another type, or the extra `aws` is not
            installed.
        AccessDeniedError: The role may not be had.
    """
    return access_of(connection).session


def _hook(connection: str) -> Any:
    from airflow.sdk.exceptions import AirflowNotFoundException

    from factory.lake.storage.access import missing_extra

    try:
        from airflow.providers.amazon.aws.hooks.base_aws import AwsGenericHook
    except ImportError as error:
        raise TerminalError(missing_extra(f"connection {connection!r}")) from error
    try:
        # The hook would go on without a word, and with the environment's credentials.
        found = masking.connection(connection)
    except AirflowNotFoundException as error:
        raise TerminalError(
            f"there is no Airflow connection {connection!r}, which `storage_connection` or another "
            f"key names: add it, such as by `airflow connections add {connection} --conn-type aws`"
        ) from error
    if found.conn_type not in ("aws", "s3"):
        raise TerminalError(
            f"connection {connection!r} is of type {found.conn_type!r}: S3 needs one of type `aws`"
        )
    return AwsGenericHook(aws_conn_id=connection, client_type="s3")


def _session(hook: Any, connection: str) -> Any:
    """The hook's session, with its credentials already had, so that what is wrong shows here."""
    from botocore.exceptions import BotoCoreError, ClientError

    from factory.lake.storage.errors import AccessDeniedError, StorageError

    try:
        session = hook.get_session()
        credentials = session.get_credentials()
        if credentials is not None:
            credentials.get_frozen_credentials()
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        raise AccessDeniedError(
            f"connection {connection!r}: its role may not be assumed ({code}): correct the key, "
            "`role_arn`, and whom the role trusts"
        ) from None
    except BotoCoreError as error:
        raise StorageError(f"connection {connection!r}: {error}") from error
    return session


def _mask(session: Any) -> None:
    """Mask the credentials of a role, which stand in no connection."""
    credentials = session.get_credentials()
    if credentials is not None:
        frozen = credentials.get_frozen_credentials()
        masking.mask(filter(None, (frozen.secret_key, frozen.token)))
