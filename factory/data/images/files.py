"""Where pictures come from: folders, archives, an address, an object store."""

import logging
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO
from itertools import takewhile
from pathlib import Path, PurePosixPath

from factory.base.parallel import in_order
from factory.data import archives
from factory.data.download import Login, download
from factory.data.images.header import SUFFIXES
from factory.data.images.store import Content, ImageError
from factory.data.sources.sections import ImageLimits, ImagesSource
from factory.lake.storage.files import Files

log = logging.getLogger(__name__)

_ARCHIVES = (".tar", ".tar.gz", ".tgz", ".zip")
_WILDCARDS = frozenset("*?[")
_AT_ONCE = 8
_SHOWN = 5


@dataclass(frozen=True)
class Found:
    """A picture's file."""

    path: str
    """Relative to the source, with slashes."""
    content: Content
    """To be read before the next one is asked for."""


def find_images(
    source: ImagesSource, *, project: Path, workspace: Path, login: Login
) -> Iterator[Found]:
    """The files of a source that are taken for pictures by their names, one after the other.

    Hidden files and folders are left out, and files whose names do not end as pictures' do.

    Args:
        source: The source.
        project: The folder that `path` is below.
        workspace: The run's scratch folder.
        login: Headers and login for `url`.

    Raises:
        TerminalError: The source cannot be used as it is, or breaks its limits.
        FactoryError: A server does not answer.
    """
    kept = _Kept(source.limits)
    if source.path is not None:
        yield from kept.pictures(_in_project(source.limits, project, source.path))
    elif source.url is not None:
        yield from kept.pictures(_behind_address(source, str(source.url), workspace, login))
    elif source.prefix is not None:
        yield from kept.pictures(_in_store(source, source.prefix, workspace))
    kept.finish()


class _Kept:
    """Counts what comes in, and leaves out what is no picture."""

    def __init__(self, limits: ImageLimits) -> None:
        self.limits = limits
        self.files = 0
        self.bytes = 0
        self.others = 0
        self.other_names: list[str] = []

    def pictures(self, found: Iterable[Found]) -> Iterator[Found]:
        for file in found:
            if not is_picture(file.path):
                self.others += 1
                if len(self.other_names) < _SHOWN:
                    self.other_names.append(file.path)
                continue
            self.files += 1
            if self.files > self.limits.max_files:
                raise ImageError(
                    f"there are more than {self.limits.max_files:,} pictures: raise "
                    "`source.limits.max_files` if that is right"
                )
            yield Found(file.path, _Counted(file, self))

    def add(self, count: int) -> None:
        self.bytes += count
        if self.bytes > self.limits.max_total_bytes:
            raise ImageError(
                f"the pictures have more than {self.limits.max_total_bytes:,} bytes together: raise "
                "`source.limits.max_total_bytes` if that is right"
            )

    def finish(self) -> None:
        if self.others:
            log.info("left out %d other files: %s", self.others, ", ".join(self.other_names))
        if not self.files:
            beside = f", but {self.others} others: {', '.join(self.other_names)}"
            raise ImageError(
                f"there is no picture{beside if self.others else ''}. Names of pictures end with "
                f"{', '.join(sorted(SUFFIXES))}"
            )


class _Counted:
    def __init__(self, file: Found, kept: _Kept) -> None:
        self.file = file
        self.kept = kept
        self.bytes = 0

    def read(self, size: int, /) -> bytes:
        chunk = self.file.content.read(size)
        self.bytes += len(chunk)
        most = self.kept.limits.max_file_bytes
        if self.bytes > most:
            raise ImageError(
                f"{self.file.path} is larger than {most:,} bytes: raise "
                "`source.limits.max_file_bytes` if that is right"
            )
        self.kept.add(len(chunk))
        return chunk


def is_picture(path: str) -> bool:
    """Whether a file is taken for a picture by its name."""
    parts = PurePosixPath(path).parts
    # Macs put a hidden twin of each file into archives, with the suffix of a picture.
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in parts)
    return not hidden and PurePosixPath(path).suffix.lower() in SUFFIXES


def _is_archive(name: str) -> bool:
    return name.lower().endswith(_ARCHIVES)


def _in_project(limits: ImageLimits, project: Path, pattern: str) -> Iterator[Found]:
    root = project.resolve()
    named = root / pattern
    if named.is_dir():
        _check_inside(named, root)
        for file in _walk(named):
            _check_inside(file, root)
            yield from _opened(file, file.relative_to(named).as_posix())
        return
    base = named.parent if named.is_file() else root / _fixed_part(pattern)
    files = [named] if named.is_file() else sorted(filter(Path.is_file, root.glob(pattern)))
    several = sum(_is_archive(file.name) for file in files) > 1
    for file in files:
        _check_inside(file, root)
        path = file.relative_to(base).as_posix()
        if _is_archive(path):
            yield from _in_archive(limits, file, _without_suffix(path) if several else "")
        else:
            yield from _opened(file, path)


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
                raise ImageError(
                    f"{entry.path} is a link to a folder, which is not followed: copy the folder"
                )
            yield from _walk(Path(entry.path))


def _check_inside(file: Path, root: Path) -> None:
    if not file.resolve().is_relative_to(root):
        raise ImageError(
            f"{file.relative_to(root)} is a link that leaves the project's folder: "
            "copy what it leads to into the project"
        )


def _opened(file: Path, path: str) -> Iterator[Found]:
    try:
        path.encode()
    except UnicodeEncodeError as error:
        raise ImageError(f"the file name {path!r} is not in UTF-8: rename the file") from error
    with file.open("rb") as content:
        yield Found(path, content)


def _in_archive(limits: ImageLimits, archive: Path, folder: str) -> Iterator[Found]:
    within = archives.Limits(
        max_files=limits.max_files,
        max_file_bytes=limits.max_file_bytes,
        max_total_bytes=limits.max_total_bytes,
    )
    for member in archives.members(archive, within):
        path = f"{folder}/{member.name}" if folder else member.name
        yield Found(path, member.content)


def _without_suffix(name: str) -> str:
    return next(name[: -len(end)] for end in _ARCHIVES if name.lower().endswith(end))


def _behind_address(
    source: ImagesSource, url: str, workspace: Path, login: Login
) -> Iterator[Found]:
    archive = workspace / "download.archive"
    try:
        download(url, archive, max_bytes=source.max_bytes, login=login)
        yield from _in_archive(source.limits, archive, "")
    finally:
        archive.unlink(missing_ok=True)


def _in_store(source: ImagesSource, prefix: str, workspace: Path) -> Iterator[Found]:
    if _is_archive(prefix):
        parent, _, name = prefix.rpartition("/")
        archive = workspace / "download.archive"
        try:
            Files.at(parent).download(name, archive)
            yield from _in_archive(source.limits, archive, "")
        finally:
            archive.unlink(missing_ok=True)
        return
    files = Files.at(prefix)
    most = source.limits.max_file_bytes + 1
    # What is no picture is not fetched.
    names = (name for name in files.names() if is_picture(name))
    for name, content in in_order(names, lambda name: files.read(name, most), at_once=_AT_ONCE):
        yield Found(name, BytesIO(content))
