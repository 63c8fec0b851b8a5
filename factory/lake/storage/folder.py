"""Files in a folder."""

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from factory.base.files import UNFINISHED, copy_file
from factory.lake.storage.errors import NoFileError
from factory.lake.storage.files import Files, checked

"""What the names of copies begin with until they are whole; what died half-way stays so."""


class FolderFiles(Files):
    """Files below a folder, which is made with the first of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.address = folder.as_uri()

    def exists(self, name: str) -> bool:
        """See `Files.exists`."""
        return self._path(name).is_file()

    def names(self, prefix: str = "") -> Iterator[str]:
        """See `Files.names`."""
        parent, _, _ = prefix.rpartition("/")
        start = self._path(parent) if parent else self.folder
        return (name for name in self._below(start, parent) if name.startswith(prefix))

    def read(self, name: str, most: int | None = None) -> bytes:
        """See `Files.read`."""
        try:
            with self._path(name).open("rb") as file:
                return file.read(-1 if most is None else most)
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
