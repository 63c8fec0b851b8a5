"""Object stores: how this process reaches the one behind an address, and what its errors mean.

The lake's tables go through deltalake and the files beside them through obstore, which are the same
Rust library below: both get the same settings from here, and both say the same when they fail.
Nothing that a server says about keys gets through.
"""

import os
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, ClassVar

from factory.base.aws import cause_of
from factory.lake.storage import access
from factory.lake.storage.address import is_s3
from factory.lake.storage.errors import (
    AccessDeniedError,
    NoBucketError,
    NoCredentialsError,
    NoFileError,
    NoSuchStorageError,
    StorageError,
)

RETRIES: Any = {
    "max_retries": 6,
    "backoff": {
        "init_backoff": timedelta(seconds=0.3),
        "max_backoff": timedelta(seconds=15),
        "base": 2,
    },
    "retry_timeout": timedelta(seconds=60),
}
"""What a hiccup breaks is tried again: longer than a hiccup, shorter than a person's patience."""

_KEPT = timedelta(minutes=9)
"""How long obstore keeps credentials that it was given. Those of a role are renewed ten minutes before
they run out, and not sooner: what is kept for longer may run out while it is used."""

_LIMITS = {"connect_timeout": "10s", "read_timeout": "60s", "timeout": "15m"}

_CODE = re.compile(r"<Code>(\w+)</Code>")
_STATUS = re.compile(r"\b(?:status(?: code)?:? |HTTP (?:error: )?)?(403|401|301)\b")
_NO_CREDENTIALS = re.compile(
    r"(?i)no credentials|missing credential|credentials? provider|performing token request"
)
_NO_REGION = re.compile(r"incorrectly configured region")
_MARKUP = re.compile(r"\x1b\[[0-9;]*m|↳")
"""Colours and arrows for a terminal."""
_BODY = re.compile(r"Debug source:.*|<\?xml.*|<Error>.*", re.DOTALL)
"""The server's own words: they may hold the key, and what was signed with it."""
_SIGNATURE = re.compile(r"(?<=\bsig=)[^&\s]+")
_SECRET_VARIABLE = re.compile(r"KEY|SECRET|SAS|TOKEN|PASSWORD")
_CHARACTERS = 500


class ObjectStore(ABC):
    """The object store of one address; nothing is asked of it yet."""

    title: ClassVar[str]
    """Its name, for people."""
    in_errors: ClassVar[str]
    """Its name in errors of the library."""

    def __init__(self, address: str) -> None:
        """Check the address.

        Raises:
            NoSuchStorageError: It names no bucket.
        """
        self.address = address.rstrip("/")
        scheme, _, rest = self.address.partition("://")
        bucket, _, self.prefix = rest.partition("/")
        self.bucket = bucket.partition("@")[0]  # Azure's account may follow
        if not self.bucket:
            raise NoSuchStorageError(
                f"{address!r} names no bucket: write {scheme.rstrip(':/')}://bucket/prefix"
            )

    @staticmethod
    def at(address: str) -> "ObjectStore":
        """The store of an address as `factory.lake.storage.address.resolve` returns it.

        Raises:
            NoSuchStorageError: The address is of no store that is known.
            MissingExtraError: It is of S3, and the extra `aws` is not installed.
        """
        if is_s3(address):
            return S3(address)
        for kind in (GoogleCloudStorage, AzureStorage):
            if address.startswith(kind.schemes):
                return kind(address)
        raise NoSuchStorageError(
            f"nothing can be kept at {address}: set `storage` to a folder, or to s3://bucket/prefix, "
            "gs://bucket/prefix or abfss://container@account.dfs.core.windows.net/prefix"
        )

    @abstractmethod
    def delta_options(self) -> dict[str, str]:
        """The `storage_options` of deltalake; holds secrets.

        Raises:
            NoCredentialsError: There are none.
        """

    @abstractmethod
    def client(self) -> Any:
        """Obstore's store of what lies below the address; threads may share it.

        Raises:
            NoCredentialsError: There are no credentials.
        """

    @abstractmethod
    def explain(self, text: str, *, code: str = "", address: str = "") -> StorageError:
        """The error that says what to do about what the store has answered.

        Args:
            text: What the library or the store says.
            code: The store's code for it; looked for in the text if empty.
            address: What was asked for; the store's own address if empty.
        """

    @contextmanager
    def explained(self, address: str = "", *, missing: str = "") -> Iterator[None]:
        """Turn obstore's errors into ours.

        Args:
            address: What is asked for; the store's own address if empty.
            missing: What to say where an object is not there.

        Raises:
            NoFileError: An object is not there.
            StorageError: Says what to do.
        """
        from obstore.exceptions import BaseError

        try:
            yield
        except FileNotFoundError as error:
            if _code_in(str(error)) in ("NoSuchBucket", "ContainerNotFound"):
                raise self.explain(str(error), address=address) from None
            raise NoFileError(missing) from None
        except BaseError as error:
            raise self.explain(str(error), address=address) from None


class S3(ObjectStore):
    """S3, or a server that speaks as S3 does; reached as `factory.lake.storage.access` says."""

    title = "S3"
    in_errors = "S3"

    def __init__(self, address: str) -> None:
        """Ask how S3 is reached.

        Raises:
            NoSuchStorageError: The address names no bucket.
            MissingExtraError: The extra `aws` is not installed.
        """
        super().__init__(address)
        self.access = access.current()

    def delta_options(self) -> dict[str, str]:
        """See `ObjectStore.delta_options`."""
        return self.access.delta_options()

    def client(self) -> Any:
        """See `ObjectStore.client`; a role's credentials are renewed before they run out."""
        from obstore.store import S3Store

        self.access.delta_options()  # raises if there are no credentials
        from obstore.auth.boto3 import Boto3CredentialProvider

        endpoint = self.access.endpoint
        elsewhere: dict[str, Any] = (
            {"endpoint": endpoint, "virtual_hosted_style_request": False} if endpoint else {}
        )
        return S3Store(
            self.bucket,
            prefix=self.prefix or None,
            region=self.access.region,
            credential_provider=Boto3CredentialProvider(self.access.session, ttl=_KEPT),
            client_options=_client_options(endpoint),
            retry_config=RETRIES,
            **elsewhere,
        )

    def explain(self, text: str, *, code: str = "", address: str = "") -> StorageError:
        """See `ObjectStore.explain`."""
        code, address = code or _code_in(text), address or self.address
        origin, bucket = self.access.origin, self.bucket
        at = f" at {self.access.endpoint}" if self.access.endpoint else ""
        if not code and _NO_CREDENTIALS.search(text):
            return NoCredentialsError(f"{address}: {origin} cannot be had")
        cause = cause_of(code)
        if cause == "unknown credentials":
            return AccessDeniedError(
                f"S3{at} does not accept {origin} for bucket {bucket!r} ({code}): correct them; "
                "the key may be mistyped, deleted, or of another account"
            )
        if cause == "expired credentials":
            return StorageError(
                f"{origin} for bucket {bucket!r}{at} are temporary and have run out ({code}): "
                "try again; where no role renews them, put new ones in their place"
            )
        if cause == "denied":
            return AccessDeniedError(
                f"{origin} may not use {address}{at} ({code}): allow them s3:ListBucket on the "
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
                f"bucket {bucket!r}{at} is not in region {self.access.region!r} ({code}): set "
                "AWS_REGION, or the connection's `region_name`, to the bucket's region"
            )
        words = self.access.without_secrets(_words(text))[:_CHARACTERS]
        return StorageError(f"{address}{at}: S3 failed ({code or 'no answer'}): {words}")


_ELSEWHERE = {
    "PermanentRedirect",
    "301",
    "AuthorizationHeaderMalformed",
    "IllegalLocationConstraintException",
}


class _ByVariables(ObjectStore):
    """A store that the environment's variables lead to, as the library reads them."""

    schemes: ClassVar[tuple[str, ...]]
    """What its addresses begin with."""
    variables: ClassVar[str]
    """What the names of its variables begin with."""
    endpoints: ClassVar[tuple[str, ...]]
    """The variables that name another server than the provider's own."""
    how_to_say: ClassVar[str]
    """Which variables to set."""
    kept_in: ClassVar[str] = "bucket"

    def delta_options(self) -> dict[str, str]:
        """See `ObjectStore.delta_options`; the library itself finds that there are no credentials."""
        allow_http = str(_client_options(self._endpoint)["allow_http"]).lower()
        return {
            **self._settings(),
            "allow_http": allow_http,
            "retry_timeout": "60s",
            "connect_timeout": "10s",
        }

    def client(self) -> Any:
        """See `ObjectStore.client`."""
        from obstore.store import from_url

        # The variables are read there too.
        return from_url(
            self.address,
            client_options=_client_options(self._endpoint),
            retry_config=RETRIES,
        )

    def explain(self, text: str, *, code: str = "", address: str = "") -> StorageError:
        """See `ObjectStore.explain`."""
        code, address = code or _code_in(text), address or self.address
        credentials = f"the environment's credentials ({self.variables}*)"
        if _NO_CREDENTIALS.search(text):
            return NoCredentialsError(f"there are no credentials for {address}: {self.how_to_say}")
        if code in ("401", "AuthenticationFailed", "InvalidAuthenticationInfo"):
            return AccessDeniedError(
                f"{self.title} does not accept {credentials} for {address} ({code}): correct "
                "them; the key may be mistyped, deleted, or of another account"
            )
        if code in _DENIED:
            return AccessDeniedError(
                f"{credentials} may not use {address} ({code}): allow them to list the "
                f"{self.kept_in} {self.bucket!r}, and to read, write and delete what is in it"
            )
        if code in ("NoSuchBucket", "ContainerNotFound"):
            return NoBucketError(
                f"there is no {self.kept_in} {self.bucket!r}: create it, or correct `storage`"
            )
        words = _SIGNATURE.sub("***", _words(text))
        for name, value in self._settings().items():
            if value and _SECRET_VARIABLE.search(name):
                words = words.replace(value, "***")
        return StorageError(
            f"{address}: {self.title} failed ({code or 'no answer'}): {words[:_CHARACTERS]}"
        )

    def _settings(self) -> dict[str, str]:
        return {
            name: value for name, value in os.environ.items() if name.startswith(self.variables)
        }

    @property
    def _endpoint(self) -> str | None:
        return next(filter(None, map(os.environ.get, self.endpoints)), None)


_DENIED = {
    "403",
    "AccessDenied",
    "AuthorizationFailure",
    "AuthorizationPermissionMismatch",
    "InsufficientAccountPermissions",
}


class GoogleCloudStorage(_ByVariables):
    """Google Cloud Storage: `gs://bucket/prefix`."""

    title = "Google Cloud Storage"
    in_errors = "GCS"
    schemes = ("gs://",)
    variables = "GOOGLE_"
    endpoints = ("GOOGLE_BASE_URL",)
    how_to_say = (
        "set GOOGLE_APPLICATION_CREDENTIALS or GOOGLE_SERVICE_ACCOUNT to a service account's file, or "
        "give this machine a service account"
    )


class AzureStorage(_ByVariables):
    """Azure's blobs: `abfss://container@account.dfs.core.windows.net/prefix`, or `az://container/…`."""

    title = "Azure Storage"
    in_errors = "MicrosoftAzure"
    schemes = ("abfss://", "abfs://", "az://", "azure://", "adl://")
    variables = "AZURE_"
    endpoints = ("AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT")
    how_to_say = (
        "set AZURE_STORAGE_ACCOUNT_KEY, AZURE_STORAGE_SAS_TOKEN, or AZURE_CLIENT_ID, "
        "AZURE_CLIENT_SECRET and AZURE_TENANT_ID, or give this machine an identity"
    )
    kept_in = "container"


def _client_options(endpoint: str | None) -> Any:
    """How long obstore waits; plain HTTP only where the endpoint says so."""
    return {**_LIMITS, "allow_http": bool(endpoint and endpoint.startswith("http://"))}


def _code_in(text: str) -> str:
    """The store's code for an error, or the HTTP status, as the text of an error holds it."""
    if found := _CODE.search(text) or _STATUS.search(text):
        return found[1]
    return "301" if _NO_REGION.search(text) else ""


def _words(text: str) -> str:
    return " ".join(_BODY.sub("", _MARKUP.sub("", text)).split())
