"""Files below one address, in a folder or in S3: whole or not there, never half.

Names are relative, with `/` between their parts, as `pets/_files/ab/abcd.jpg`.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path

from factory.lake.storage import address as storage
from factory.lake.storage.errors import NoSuchStorageError


class Files(ABC):
    """What a storage can do with files; `Files.at(address)` makes one."""

    address: str
    """Where they lie: `file:///…` or `s3://bucket/prefix`."""

    @staticmethod
    def at(address: str) -> "Files":
        """The files below an address; asks nothing of the storage yet.

        Args:
            address: As `factory.lake.storage.address.resolve` returns it.

        Raises:
            NoSuchStorageError: The address is neither of a folder nor of S3.
            MissingExtraError: It is of S3, and the extra `aws` is not installed.
        """
        folder = storage.local_path(address)
        if folder is not None:
            from factory.lake.storage.folder import FolderFiles

            return FolderFiles(folder)
        if storage.is_s3(address):
            from factory.lake.storage.s3 import S3Files

            return S3Files(address)
        raise NoSuchStorageError(
            f"files cannot be kept at {address}: set `storage` to a folder, or to s3://bucket/prefix"
        )

    @abstractmethod
    def exists(self, name: str) -> bool:
        """Whether there is a file of this name."""

    @abstractmethod
    def names(self, prefix: str = "") -> Iterator[str]:
        """The names that begin with `prefix`, sorted; those are found while they are asked for."""

    @abstractmethod
    def read(self, name: str, most: int | None = None) -> bytes:
        """A file's content, or its first `most` bytes.

        Raises:
            NoFileError: There is no such file.
        """

    @abstractmethod
    def download(self, name: str, file: Path) -> None:
        """Bring a file onto this machine's disk; `file` appears, or is replaced, in one step.

        Raises:
            NoFileError: There is no such file.
        """

    @abstractmethod
    def upload(self, file: Path, name: str) -> None:
        """Keep a copy of a local file under a name, replacing what is there, in one step.

        Nobody sees a part of it, whatever happens on the way.
        """

    @abstractmethod
    def delete(self, name: str) -> None:
        """Remove a file; nothing happens if there is none."""

    def uri(self, name: str) -> str:
        """A file's address, or that of all files whose names begin with `name/`."""
        return f"{self.address}/{checked(name)}"


def checked(name: str) -> str:
    """The name, if it is one that every storage takes for the same file.

    Raises:
        NoSuchStorageError: It is empty, absolute, or leads out of the storage.
    """
    if any(part in ("", ".", "..") for part in name.split("/")) or "\\" in name or "\0" in name:
        raise NoSuchStorageError(
            f"{name!r} cannot be a file's name in storage: write it as `folder/file`, relative, "
            "without `.`, `..` or backslashes"
        )
    return name
