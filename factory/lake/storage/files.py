"""Files below one address, in a folder or in an object store: whole or not there, never half.

Names are relative, with `/` between their parts, as `pets/_files/ab/abcd.jpg`.
"""

import hashlib
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

from factory.base.digests import sha256_of_file
from factory.base.files import UNFINISHED, copy_file, unfinished_beside, whole_file
from factory.lake.storage import address as storage
from factory.lake.storage.errors import NoFileError, NoSuchStorageError, StorageError
from factory.lake.storage.object_store import ObjectStore
from factory.lake.storage.progress import Progress

PART_BYTES = 8 * 1024**2
"""Files of this size and more go up in parts of this size."""
_PARTS_AT_ONCE = 4
_MOST_PARTS = 10_000
"""S3 takes no more for one file."""


@dataclass(frozen=True)
class FileFacts:
    """What a storage knows of a file without reading it."""

    name: str
    bytes: int
    modified: float
    """When it was written, in seconds of the epoch, by the storage's clock."""
    etag: str | None = None
    """What an object store calls this content of the file; None for a folder."""


class Files(ABC):
    """What a storage can do with files; `Files.at(address)` makes one."""

    address: str
    """Where they lie, such as `file:///…` or `s3://bucket/prefix`."""

    @staticmethod
    def at(address: str) -> "Files":
        """The files below an address; asks nothing of the storage yet.

        Args:
            address: As `factory.lake.storage.address.resolve` returns it.

        Raises:
            NoSuchStorageError: The address is neither of a folder nor of an object store.
            MissingExtraError: It is of S3, and the extra `aws` is not installed.
        """
        folder = storage.local_path(address)
        return ObjectFiles(ObjectStore.at(address)) if folder is None else FolderFiles(folder)

    def exists(self, name: str) -> bool:
        """Whether there is a file of this name."""
        return self.facts(name) is not None

    @abstractmethod
    def facts(self, name: str) -> FileFacts | None:
        """What is known of a file; None if there is none."""

    def names(self, prefix: str = "") -> Iterator[str]:
        """The names that begin with `prefix`, sorted; those are found while they are asked for."""
        return (found.name for found in self.listed(prefix))

    @abstractmethod
    def listed(self, prefix: str = "") -> Iterator[FileFacts]:
        """What is known of the files whose names begin with `prefix`, sorted by name."""

    @abstractmethod
    def read(self, name: str, most: int | None = None) -> bytes:
        """A file's content, or its first `most` bytes.

        Raises:
            NoFileError: There is no such file.
        """

    @abstractmethod
    def sha256(self, name: str) -> str:
        """The digest of a file's content, in hexadecimal digits.

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
    def create(self, file: Path, name: str) -> bool:
        """Keep a copy of a local file under a name that is free, in one step.

        Returns:
            Whether it was kept; not if there is a file of this name.
        """

    @abstractmethod
    def unfinished(self, folder: str, scratch: Path) -> Path:
        """Where to write a file that `keep` is to bring into a folder, under a name unknown as yet.

        Args:
            folder: The folder.
            scratch: A folder on this machine's disk, for storage that is not.
        """

    @abstractmethod
    def keep(self, file: Path, name: str) -> None:
        """Give a file that was written where `unfinished` said its name, in one step."""

    @abstractmethod
    def delete(self, name: str) -> None:
        """Remove a file; nothing happens if there is none."""

    def uri(self, name: str) -> str:
        """A file's address, or that of all files whose names begin with `name/`."""
        return f"{self.address}/{checked(name)}"


class FolderFiles(Files):
    """Files below a folder, which is made with the first of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.address = folder.as_uri()

    def facts(self, name: str) -> FileFacts | None:
        """See `Files.facts`."""
        path = self._path(name)
        try:
            found = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return FileFacts(name, found.st_size, found.st_mtime) if path.is_file() else None

    def listed(self, prefix: str = "") -> Iterator[FileFacts]:
        """See `Files.listed`."""
        parent, _, _ = prefix.rpartition("/")
        start = self._path(parent) if parent else self.folder
        names = (name for name in self._below(start, parent) if name.startswith(prefix))
        # One that is removed meanwhile is left out.
        return (found for name in names if (found := self.facts(name)))

    def read(self, name: str, most: int | None = None) -> bytes:
        """See `Files.read`."""
        try:
            with self._path(name).open("rb") as file:
                return file.read(-1 if most is None else most)
        except FileNotFoundError as error:
            raise self._missing(name) from error

    def sha256(self, name: str) -> str:
        """See `Files.sha256`."""
        try:
            return sha256_of_file(self._path(name))
        except FileNotFoundError as error:
            raise self._missing(name) from error

    def download(self, name: str, file: Path) -> None:
        """See `Files.download`."""
        if not self.exists(name):
            raise self._missing(name)
        copy_file(self._path(name), file)

    def upload(self, file: Path, name: str) -> None:
        """See `Files.upload`."""
        copy_file(file, self._path(name))

    def create(self, file: Path, name: str) -> bool:
        """See `Files.create`."""
        copy = unfinished_beside(self._path(name))
        try:
            copy_file(file, copy)
            self._path(name).hardlink_to(copy)
        except FileExistsError:
            return False
        finally:
            copy.unlink(missing_ok=True)
        return True

    def unfinished(self, folder: str, scratch: Path) -> Path:  # noqa: ARG002 - it lies here already
        """See `Files.unfinished`."""
        return unfinished_beside(self._path(folder) / "file")

    def keep(self, file: Path, name: str) -> None:
        """See `Files.keep`."""
        file.replace(self._path(name))

    def delete(self, name: str) -> None:
        """See `Files.delete`."""
        self._path(name).unlink(missing_ok=True)

    def uri(self, name: str) -> str:
        """See `Files.uri`."""
        return f"{self.address}/{quote(checked(name))}"

    def _path(self, name: str) -> Path:
        return self.folder / checked(name)

    def _missing(self, name: str) -> NoFileError:
        return NoFileError(f"there is no file {name} in {self.folder}")

    def _below(self, folder: Path, name: str) -> Iterator[str]:
        """The files in a folder and those below it, in the order of their whole names."""
        try:
            entries = list(os.scandir(folder))
        except FileNotFoundError:
            return
        # A folder sorts by its name with the slash, as an object store sorts whole names.
        for entry in sorted(entries, key=lambda e: f"{e.name}/" if e.is_dir() else e.name):
            whole = f"{name}/{entry.name}" if name else entry.name
            if entry.is_dir():
                yield from self._below(Path(entry.path), whole)
            elif not entry.name.startswith(UNFINISHED):
                yield whole


class ObjectFiles(Files):
    """Files in an object store."""

    def __init__(self, store: ObjectStore) -> None:
        self.address = store.address
        self._store = store

    def facts(self, name: str) -> FileFacts | None:
        """See `Files.facts`."""
        import obstore

        try:
            with self._store.explained(self.uri(name)):
                return _facts(obstore.head(self._client, checked(name)))
        except NoFileError:
            return None

    def listed(self, prefix: str = "") -> Iterator[FileFacts]:
        """See `Files.listed`."""
        import obstore

        parent, _, _ = prefix.rpartition("/")
        with self._store.explained():
            for page in obstore.list(self._client, parent or None):
                for entry in page:
                    if entry["path"].startswith(prefix):
                        yield _facts(entry)

    def read(self, name: str, most: int | None = None) -> bytes:
        """See `Files.read`."""
        import obstore

        with self._store.explained(self.uri(name), missing=self._missing(name)):
            found = obstore.get(self._client, checked(name))
            if most is None:
                return bytes(found.bytes())
            content = b""
            for chunk in found.stream(min_chunk_size=most):
                content += bytes(chunk)
                if len(content) >= most:
                    break
            return content[:most]

    def sha256(self, name: str) -> str:
        """See `Files.sha256`; the content is read once and kept nowhere."""
        import obstore

        digest = hashlib.sha256()
        with self._store.explained(self.uri(name), missing=self._missing(name)):
            for chunk in obstore.get(self._client, checked(name)).stream():
                digest.update(chunk)
        return digest.hexdigest()

    def download(self, name: str, file: Path) -> None:
        """See `Files.download`; says every ten seconds how far it is."""
        import obstore

        with (
            whole_file(file) as unfinished,
            unfinished.open("wb") as target,
            self._store.explained(self.uri(name), missing=self._missing(name)),
        ):
            found = obstore.get(self._client, checked(name))
            progress = Progress(f"downloading {self.uri(name)}", found.meta["size"])
            for chunk in found.stream():
                target.write(chunk)
                progress.add(len(chunk))

    def upload(self, file: Path, name: str) -> None:
        """See `Files.upload`; large files go in parts, of which nobody sees any until the last.

        If it fails half-way, what has arrived is thrown away. Says every ten seconds how far it is.
        """
        import obstore

        name, size = checked(name), file.stat().st_size
        part = max(PART_BYTES, -(-size // _MOST_PARTS))
        content = file.read_bytes() if size < PART_BYTES else self._parts(file, name, size, part)
        with self._store.explained(self.uri(name)):
            obstore.put(
                self._client, name, content, chunk_size=part, max_concurrency=_PARTS_AT_ONCE
            )

    def create(self, file: Path, name: str) -> bool:
        """See `Files.create`."""
        import obstore
        from obstore.exceptions import AlreadyExistsError

        try:
            with self._store.explained(self.uri(name)):
                obstore.put(self._client, checked(name), file.read_bytes(), mode="create")
        except StorageError as error:
            if isinstance(error.__context__, AlreadyExistsError):
                return False
            raise
        return True

    def unfinished(self, folder: str, scratch: Path) -> Path:  # noqa: ARG002 - nobody sees it there
        """See `Files.unfinished`."""
        return unfinished_beside(scratch / "file")

    def keep(self, file: Path, name: str) -> None:
        """See `Files.keep`."""
        self.upload(file, name)
        file.unlink()

    def delete(self, name: str) -> None:
        """See `Files.delete`."""
        import obstore

        try:
            with self._store.explained(self.uri(name)):
                obstore.delete(self._client, checked(name))
        except NoFileError:
            return

    @cached_property
    def _client(self) -> Any:
        return self._store.client()

    def _parts(self, file: Path, name: str, size: int, part: int) -> Iterator[bytes]:
        # Asked for by the thread that uploads, which a signal can stop here: Airflow ends tasks so.
        progress = Progress(f"uploading {name} to {self.address}", size)
        with file.open("rb") as content:
            while chunk := content.read(part):
                yield chunk
                progress.add(len(chunk))

    def _missing(self, name: str) -> str:
        return f"there is no file {name} in {self.address}"


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


def _facts(entry: Any) -> FileFacts:
    modified = entry["last_modified"].timestamp()
    return FileFacts(entry["path"], entry["size"], modified, entry.get("e_tag"))
