"""How this process gets at S3: with which credentials, at which endpoint, in which region.

What is not said comes from the environment, as boto3 reads it (AWS_* variables, a profile, the
role of a machine or a container). A task of a project with `storage_connection` says it: see
`factory.airflow.storage_access`. The lake and `Files` ask here, so both always use the same.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

from factory.lake.storage.address import is_s3
from factory.lake.storage.errors import MissingExtraError, NoCredentialsError

DEFAULT_REGION = "us-east-1"

_HOW_TO_SAY = (
    "set `storage_connection` in configs/_defaults.yaml to an Airflow connection of type `aws`, or "
    "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (or AWS_PROFILE, or a role) in the environment"
)


@dataclass(frozen=True)
class Access:
    """A boto3 session, and where its S3 answers. No secret is in its `repr`."""

    session: Any = field(repr=False)
    """A `boto3.Session`: what it gives out is renewed when it is a role's and runs out."""
    endpoint: str | None = None
    """The address of S3; None for Amazon's own."""
    connection: str | None = None
    """The Airflow connection that it comes from; None for the environment."""

    @classmethod
    def from_environment(cls) -> "Access":
        """What the environment gives.

        Raises:
            MissingExtraError: The extra `aws` is not installed.
        """
        try:
            import boto3
        except ImportError as error:
            raise MissingExtraError(missing_extra("storage in S3")) from error
        return cls(boto3.Session(), endpoint_in_environment())

    @property
    def origin(self) -> str:
        """Where the credentials come from, for messages."""
        if self.connection is None:
            return "the environment's credentials"
        return f"the credentials of the Airflow connection {self.connection!r}"

    @property
    def region(self) -> str:
        """The region to ask in."""
        return str(self.session.region_name or os.environ.get("AWS_REGION") or DEFAULT_REGION)

    def client(self) -> Any:
        """A boto3 client of S3, which threads may share."""
        from botocore.config import Config

        config = Config(
            retries={"mode": "standard", "max_attempts": 5},
            connect_timeout=10,
            read_timeout=60,
            # Buckets as host names exist at Amazon; other servers rarely have them.
            s3={"addressing_style": "path"} if self.endpoint else {},
        )
        return self.session.client(
            "s3", region_name=self.region, endpoint_url=self.endpoint, config=config
        )

    def delta_options(self) -> dict[str, str]:
        """The `storage_options` of deltalake; holds secrets.

        A role's credentials are those of now: ask again for what begins later.

        Raises:
            NoCredentialsError: There are none.
        """
        options = {
            "aws_region": self.region,
            # A commit is a file that is only put where there is none: of two publishers at once
            # one is told so, and no table of locks is needed.
            "aws_conditional_put": "etag",
            # Longer than a hiccup, shorter than a person's patience.
            "retry_timeout": "60s",
            "connect_timeout": "10s",
        }
        if self.endpoint:
            options["aws_endpoint"] = self.endpoint
            options["aws_allow_http"] = str(self.endpoint.startswith("http://")).lower()
            options["aws_virtual_hosted_style_request"] = "false"
        return {**options, **self._secrets()}

    def variables(self) -> dict[str, str]:
        """The same as environment variables, for a process that is started; holds secrets.

        Raises:
            NoCredentialsError: There are none.
        """
        variables = {name.upper(): value for name, value in self._secrets().items()}
        variables["AWS_REGION"] = variables["AWS_DEFAULT_REGION"] = self.region
        if self.endpoint:
            variables["AWS_ENDPOINT_URL_S3"] = self.endpoint
        return variables

    def without_secrets(self, text: str) -> str:
        """The text with these credentials, wherever they stand in it, as `***`."""
        credentials = self.session.get_credentials()
        if credentials is None:
            return text
        frozen = credentials.get_frozen_credentials()
        for secret in filter(None, (frozen.secret_key, frozen.token, frozen.access_key)):
            text = text.replace(secret, "***")
        return text

    def _secrets(self) -> dict[str, str]:
        credentials = self.session.get_credentials()
        if credentials is None:
            raise NoCredentialsError(f"there are no credentials for S3: {_HOW_TO_SAY}")
        frozen = credentials.get_frozen_credentials()
        found = {
            "aws_access_key_id": frozen.access_key,
            "aws_secret_access_key": frozen.secret_key,
            "aws_session_token": frozen.token,
        }
        return {name: value for name, value in found.items() if value}


_access: list[Access] = []
"""What the code that runs has said; the last wins.

Of the whole process and not of a thread: a task is a process, and its threads are to share it.
"""

_apart: ContextVar[list[Access] | None] = ContextVar("apart", default=None)


@contextmanager
def apart() -> Iterator[None]:
    """Keep what is said within the block to this thread: the triggerer works for many teams in one process."""
    token = _apart.set([])
    try:
        yield
    finally:
        _apart.reset(token)


@contextmanager
def using(access: Access) -> Iterator[None]:
    """Let everything in the block reach S3 in this way."""
    said = _said()
    said.append(access)
    try:
        yield
    finally:
        said.pop()


def current() -> Access:
    """What was said last, else what the environment gives.

    Raises:
        MissingExtraError: The extra `aws` is not installed.
    """
    return said[-1] if (said := _said()) else Access.from_environment()


def _said() -> list[Access]:
    own = _apart.get()
    return _access if own is None else own


def endpoint_in_environment() -> str | None:
    """The address of S3 that the environment names; None for Amazon's own."""
    named = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    return named or None


def missing_extra(what: str) -> str:
    """Says what to install."""
    return f'{what} needs the extra `aws`: pip install "ml-dag-factory[aws]"'


def missing_for(storage: str, connection: str | None) -> str | None:
    """What to install for a storage, or None; asked before anything starts, nothing is imported.

    Args:
        storage: An address as `factory.lake.storage.address.resolve` returns it.
        connection: The Airflow connection by which it is reached, if any.
    """
    if not is_s3(storage):
        return None
    if find_spec("boto3") is None:
        return missing_extra(f"storage at {storage}")
    if connection is not None and not _has_amazon_provider():
        return missing_extra(f"storage by the connection {connection!r}")
    return None


def _has_amazon_provider() -> bool:
    # Not by `find_spec("airflow.providers.amazon")`, which would import Airflow.
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        distribution("apache-airflow-providers-amazon")
    except PackageNotFoundError:
        return False
    return True
