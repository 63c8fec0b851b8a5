"""Files in S3."""

from collections.abc import Iterator
from contextlib import closing
from functools import cached_property
from pathlib import Path
from typing import Any

from factory.lake.storage import access
from factory.lake.storage.errors import NoFileError, NoSuchStorageError
from factory.lake.storage.files import Files, checked
from factory.lake.storage.progress import Progress
from factory.lake.storage.s3_errors import explained

PART_BYTES = 8 * 1024**2
"""Files of this size and more go up in parts of this size."""
_PARTS_AT_ONCE = 4
_MOST_PARTS = 10_000
"""S3 takes no more for one file."""


class S3Files(Files):
    """Files below a bucket's prefix."""

    def __init__(self, address: str) -> None:
        """Ask nothing yet.

        Args:
            address: `s3://bucket` or `s3://bucket/prefix`.

        Raises:
            NoSuchStorageError: The address names no bucket.
            MissingExtraError: The extra `aws` is not installed.
        """
        self.address = address.rstrip("/")
        self.bucket, _, prefix = self.address.removeprefix("s3://").partition("/")
        if not self.bucket:
            raise NoSuchStorageError(f"{address!r} names no bucket: write s3://bucket/prefix")
        self._prefix = f"{prefix}/" if prefix else ""
        self._access = access.current()

    def exists(self, name: str) -> bool:
        """See `Files.exists`."""
        try:
            with explained(self.uri(name), self._access, missing="not there"):
                self._client.head_object(Bucket=self.bucket, Key=self._key(name))
        except NoFileError:
            return False
        return True

    def names(self, prefix: str = "") -> Iterator[str]:
        """See `Files.names`."""
        with explained(self.address, self._access):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=self._prefix + prefix
            )
            for page in pages:
                for entry in page.get("Contents", ()):
                    name = entry["Key"].removeprefix(self._prefix)
                    # What other tools make to show folders.
                    if name and not name.endswith("/"):
                        yield name

    def read(self, name: str, most: int | None = None) -> bytes:
        """See `Files.read`."""
        with explained(self.uri(name), self._access, missing=self._missing(name)):
            answer = self._client.get_object(Bucket=self.bucket, Key=self._key(name))
            with closing(answer["Body"]) as body:
                content: bytes = body.read(most)
            return content

    def download(self, name: str, file: Path) -> None:
        """See `Files.download`; says every ten seconds how far it is."""
        from s3transfer.manager import TransferManager

        file.parent.mkdir(parents=True, exist_ok=True)
        with (
            explained(self.uri(name), self._access, missing=self._missing(name)),
            TransferManager(self._client, _transfer_config()) as transfers,
        ):
            # Into a file beside it, which is renamed.
            transfers.download(self.bucket, self._key(name), str(file)).result()

    def upload(self, file: Path, name: str) -> None:
        """See `Files.upload`; large files go in parts, of which S3 shows nothing until the last.

        If it fails half-way, what has arrived is thrown away. Says every ten seconds how far it is.
        """
        from s3transfer.manager import TransferManager

        size = file.stat().st_size
        progress = Progress(f"uploading {name} to {self.address}", size)
        with (
            explained(self.uri(name), self._access),
            TransferManager(self._client, _transfer_config(size)) as transfers,
        ):
            transfers.upload(
                str(file), self.bucket, self._key(name), subscribers=[_subscriber(progress)]
            ).result()

    def delete(self, name: str) -> None:
        """See `Files.delete`."""
        with explained(self.uri(name), self._access):
            self._client.delete_object(Bucket=self.bucket, Key=self._key(name))

    @cached_property
    def _client(self) -> Any:
        return self._access.client()

    def _key(self, name: str) -> str:
        return self._prefix + checked(name)

    def _missing(self, name: str) -> str:
        return f"there is no file {name} in {self.address}"


def _transfer_config(size: int = 0) -> Any:
    from s3transfer.manager import TransferConfig

    return TransferConfig(
        multipart_threshold=PART_BYTES,
        multipart_chunksize=max(PART_BYTES, -(-size // _MOST_PARTS)),
        max_request_concurrency=_PARTS_AT_ONCE,
    )


def _subscriber(progress: Progress) -> Any:
    from s3transfer.subscribers import BaseSubscriber

    class Reporting(BaseSubscriber):  # type: ignore[misc]
        def on_progress(self, bytes_transferred: int, **_: object) -> None:
            progress(bytes_transferred)

    return Reporting()
