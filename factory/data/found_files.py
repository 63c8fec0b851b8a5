"""Files that a source takes whole, such as images and documents: from folders, globs, archives and object stores."""

import logging
import os
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO
from itertools import takewhile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Protocol

from factory.base.errors import TerminalError
from factory.base.files import ReadableBytes, is_hidden

if TYPE_CHECKING:
    from factory.data.folders import DataFolders
    from factory.lake.taken_files import SourceFile

log = logging.getLogger(__name__)

_ARCHIVES = (".tar", ".tar.gz", ".tgz", ".zip")
_WILDCARDS = frozenset("*?[")
_AT_ONCE = 8
_SHOWN = 5


class UnusableFilesError(TerminalError):
    """Files that cannot be taken as they are, or more of them than allowed."""


@dataclass(frozen=True)
class Found:
    """A file where it comes from."""

    path: str
    """Relative to the source, with slashes."""
    content: ReadableBytes
    """To be read before the next one is asked for."""
    uri: str
    """Where it lies: a path from the project's folder, with the archive's name before what is in it, or an address."""


class FileLimits(Protocol):
    """How much may come in."""

    @property
    def max_files(self) -> int:
        """The most files."""

    @property
    def max_file_bytes(self) -> int:
        """The most bytes of one file."""

    @property
    def max_total_bytes(self) -> int:
        """The most bytes of all files together."""


class Taken:
    """Counts what comes in, and leaves out what is not wanted by its name."""

    def __init__(
        self, limits: FileLimits, wanted: Callable[[str], bool], what: str, advice: str
    ) -> None:
        """Nothing has come in yet.

        Args:
            limits: How much may come in.
            wanted: Says of a file's path whether it is taken.
            what: What the files are called in errors: `image`, `document`.
            advice: What to do where not one file is wanted.
        """
        self.limits = limits
        self.wanted = wanted
        self.what = what
        self.advice = advice
        self.files = 0
        self.bytes = 0
        self.others = 0
        self.other_names: list[str] = []

    def of(self, found: Iterable[Found]) -> Iterator[Found]:
        """The files that are wanted.

        Raises:
            UnusableFilesError: A limit is broken.
        """
        for file in found:
            if not self.wanted(file.path):
                self.others += 1
                if len(self.other_names) < _SHOWN:
                    self.other_names.append(file.path)
                continue
            self.files += 1
            if self.files > self.limits.max_files:
                raise UnusableFilesError(
                    f"there are more than {self.limits.max_files:,} {self.what}s: raise "
                    "`source.limits.max_files` if that is right"
                )
            yield Found(file.path, _Counted(file, self), file.uri)

    def add(self, count: int) -> None:
        """Count bytes.

        Raises:
            UnusableFilesError: They are too many.
        """
        self.bytes += count
        if self.bytes > self.limits.max_total_bytes:
            raise UnusableFilesError(
                f"the {self.what}s have more than {self.limits.max_total_bytes:,} bytes together: raise "
                "`source.limits.max_total_bytes` if that is right"
            )

    def finish(self) -> None:
        """Say what was left out.

        Raises:
            UnusableFilesError: Nothing is left.
        """
        if self.others:
            log.info("left out %d other files: %s", self.others, ", ".join(self.other_names))
        if not self.files:
            beside = f", but {self.others} others: {', '.join(self.other_names)}"
            raise UnusableFilesError(
                f"there is no {self.what}{beside if self.others else ''}. {self.advice}"
            )


class _Counted:
    def __init__(self, file: Found, taken: Taken) -> None:
        self.file = file
        self.taken = taken
        self.bytes = 0

    def read(self, size: int, /) -> bytes:
        chunk = self.file.content.read(size)
        self.bytes += len(chunk)
        most = self.taken.limits.max_file_bytes
        if self.bytes > most:
            raise UnusableFilesError(
                f"{self.file.path} is larger than {most:,} bytes: raise "
                "`source.limits.max_file_bytes` if that is right"
            )
        self.taken.add(len(chunk))
        return chunk


def has_suffix(path: str, suffixes: Iterable[str]) -> bool:
    """Whether a file's name ends in one of some ways, in whatever case; nothing that is hidden does."""
    parts = PurePosixPath(path).parts
    # Macs put a hidden twin of each file into archives, with the same suffix.
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in parts)
    return not hidden and PurePosixPath(path).suffix.lower() in suffixes


def in_project(
    limits: FileLimits,
    folders: "DataFolders",
    pattern: str,
    chosen: Collection[str] | None = None,
) -> Iterator[Found]:
    """The files below a folder, those that a glob names, or those in archives, one after the other.

    Args:
        limits: How much archives may hold.
        folders: Where files may be read.
        pattern: A path or glob from the project's folder.
        chosen: Which files and archives are read, by their names in `listed_in_project`; all when left out.

    Raises:
        TerminalError: A file is not for sources to read, or an archive cannot be used.
    """
    root = folders.project.resolve()
    named = root / pattern
    if named.is_dir():
        for file in _files_in(named, folders):
            if chosen is None or str(file.relative_to(root)) in chosen:
                yield from _opened(file, file.relative_to(named).as_posix(), root)
        return
    base = named.parent if named.is_file() else root / _fixed_part(pattern)
    files = _files_of(root, pattern)
    # Of archives that come one after the other, the first one is called as it would be among others.
    several = chosen is not None or sum(_is_archive(file.name) for file in files) > 1
    for file in files:
        folders.check(file)
        if chosen is not None and str(file.relative_to(root)) not in chosen:
            continue
        path = file.relative_to(base).as_posix()
        if _is_archive(path):
            folder = _without_suffix(path) if several else ""
            yield from in_archive(limits, file, folder, file.relative_to(root).as_posix())
        else:
            yield from _opened(file, path, root)


def listed_in_project(
    folders: "DataFolders", pattern: str, wanted: Callable[[str], bool]
) -> list["SourceFile"]:
    """The files that `in_project` reads and that are wanted, and archives, without a look into them.

    What has no content yet is left out.

    Args:
        folders: Where files may be read.
        pattern: A path or glob from the project's folder.
        wanted: Says of a file's path whether it is taken.

    Raises:
        TerminalError: A file is not for sources to read.
    """
    from factory.data.sources.files import source_file

    root = folders.project.resolve()
    named = root / pattern
    if named.is_dir():
        files = [file for file in _files_in(named, folders) if wanted(file.name)]
    else:
        files = [
            file for file in _files_of(root, pattern) if wanted(file.name) or _is_archive(file.name)
        ]
        for file in files:
            folders.check(file)
    return [source_file(file, root) for file in files if file.stat().st_size]


def _files_in(folder: Path, folders: "DataFolders") -> Iterator[Path]:
    """All files below a folder, sorted; what is hidden is left out."""
    folders.check(folder)
    for file in _walk(folder):
        if not file.name.startswith("."):
            folders.check(file)
            yield file


def _files_of(root: Path, pattern: str) -> list[Path]:
    """The file that a path names, or those that a glob does, sorted."""
    named = root / pattern
    # As in a shell, a glob does not mean hidden files.
    found = (file for file in root.glob(pattern) if not is_hidden(file.relative_to(root)))
    return [named] if named.is_file() else sorted(filter(Path.is_file, found))


def in_archive(limits: FileLimits, archive: Path, folder: str, uri: str) -> Iterator[Found]:
    """The files in an archive.

    Args:
        limits: How much it may hold.
        archive: The archive.
        folder: What its files' paths are to begin with; nothing if empty.
        uri: Where the archive lies.

    Raises:
        ArchiveError: It cannot be used.
    """
    from factory.data import archives

    within = archives.Limits(
        max_files=limits.max_files,
        max_file_bytes=limits.max_file_bytes,
        max_total_bytes=limits.max_total_bytes,
    )
    for member in archives.members(archive, within):
        path = f"{folder}/{member.name}" if folder else member.name
        yield Found(path, member.content, f"{uri}/{member.name}")


def in_store(
    limits: FileLimits,
    prefix: str,
    workspace: Path,
    wanted: Callable[[str], bool],
    chosen: Collection[str] | None = None,
) -> Iterator[Found]:
    """The files below a prefix of an object store, or those in one archive there.

    Args:
        limits: How much may come in.
        prefix: The address of a folder or of an archive.
        workspace: The run's scratch folder.
        wanted: Says of a file's path whether it is fetched.
        chosen: Which files are fetched, by their names in `listed_in_store`; all when left out.
    """
    from factory.base.parallel import in_order
    from factory.lake.storage.files import Files

    if _is_archive(prefix):
        parent, _, name = prefix.rpartition("/")
        archive = workspace / "download.archive"
        try:
            Files.at(parent).download(name, archive)
            yield from in_archive(limits, archive, "", prefix)
        finally:
            archive.unlink(missing_ok=True)
        return
    files = Files.at(prefix)
    most = limits.max_file_bytes + 1
    # What is not wanted is not fetched.
    names = (
        name
        for name in files.names()
        if wanted(name) and (chosen is None or files.uri(name) in chosen)
    )
    for name, content in in_order(names, lambda name: files.read(name, most), at_once=_AT_ONCE):
        yield Found(name, BytesIO(content), f"{prefix}/{name}")


def listed_in_store(prefix: str, wanted: Callable[[str], bool]) -> list["SourceFile"]:
    """The files that `in_store` fetches, or the one archive, with what is known without reading them.

    What has no content yet is left out.

    Args:
        prefix: The address of a folder or of an archive.
        wanted: Says of a file's path whether it is taken.
    """
    from factory.data.sources.object_stores import source_file
    from factory.lake.storage.files import Files

    if _is_archive(prefix):
        parent, _, name = prefix.rpartition("/")
        facts = Files.at(parent).facts(name)
        return [source_file(prefix, facts)] if facts is not None and facts.bytes else []
    files = Files.at(prefix)
    return [
        source_file(files.uri(facts.name), facts)
        for facts in files.listed()
        if facts.bytes and wanted(facts.name)
    ]


def _is_archive(name: str) -> bool:
    return name.lower().endswith(_ARCHIVES)


def _fixed_part(pattern: str) -> str:
    """The folders of a glob before the first wildcard."""
    parts = PurePosixPath(pattern).parts[:-1]
    return "/".join(takewhile(lambda part: not _WILDCARDS & set(part), parts))


def _walk(folder: Path) -> Iterator[Path]:
    """All files below a folder, sorted; hidden folders are left out."""
    entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    for entry in entries:
        if not entry.is_dir():
            yield Path(entry.path)
        elif not entry.name.startswith("."):
            if entry.is_symlink():
                raise UnusableFilesError(
                    f"{entry.path} is a link to a folder, which is not followed: copy the folder"
                )
            yield from _walk(Path(entry.path))


def _opened(file: Path, path: str, root: Path) -> Iterator[Found]:
    try:
        path.encode()
    except UnicodeEncodeError as error:
        raise UnusableFilesError(
            f"the file name {path!r} is not in UTF-8: rename the file"
        ) from error
    with file.open("rb") as content:
        yield Found(path, content, file.relative_to(root).as_posix())


def _without_suffix(name: str) -> str:
    return next(name[: -len(end)] for end in _ARCHIVES if name.lower().endswith(end))
