"""`source: {type: images}`: from folders, archives, an address, an object store."""

import logging
import os
from collections.abc import Iterable, Iterator
from io import BytesIO
from itertools import islice, takewhile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field
from pydantic_core import PydanticCustomError

from factory.base.files import is_hidden
from factory.base.hosts import PublicUrl
from factory.base.rules import Broken, rule
from factory.base.section import DataPath, Section
from factory.data.images.labels import FolderLabels, Labels
from factory.data.images.store import Found, ImageError, ImageStore
from factory.data.sources.object_stores import StorePrefix, check_lake
from factory.data.sources.source import IngestContext, Source

if TYPE_CHECKING:
    from factory.data.folders import DataFolders
    from factory.data.rows import Rows

log = logging.getLogger(__name__)

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"})
"""How the names of files end that are taken for images, in lower case."""

_ARCHIVES = (".tar", ".tar.gz", ".tgz", ".zip")
_WILDCARDS = frozenset("*?[")
_AT_ONCE = 8
_SHOWN = 5


class ImageLimits(Section):
    """How much may come in, counted as it does."""

    max_files: int = Field(default=200_000, ge=1)
    """The most images; more fail the run."""
    max_file_bytes: int = Field(default=50_000_000, ge=1)
    """The most bytes of one image; a larger one fails the run."""
    max_total_bytes: int = Field(default=50_000_000_000, ge=1)
    """The most bytes of all images together; more fail the run."""
    max_pixels: int = Field(default=50_000_000, ge=1, le=178_000_000)
    """Width times height; an image with more counts as one that cannot be read."""


class ImagesSource(Source):
    """Images: one row a file, its bytes kept beside the table.

    They come from the project (`path`: a folder, a glob, or tar, tar.gz and zip archives), from an
    archive behind an address (`url`), or from an object store (`prefix`).
    """

    places: ClassVar[tuple[str, ...]] = ("path", "prefix", "connection")

    type: Literal["images"]
    path: DataPath | None = Field(
        default=None, examples=["data/pets", "data/*/*.jpg", "data/pets.tar.gz"]
    )
    """A folder, a glob, or archives (tar, tar.gz, zip) below one of the platform's `data_folders`. Images come from
    `path`, `url` or `prefix`."""
    url: PublicUrl | None = None
    """The http(s) address of an archive (tar, tar.gz, zip)."""
    prefix: StorePrefix | None = Field(default=None, examples=["s3://inbox/photos"])
    """A folder in an object store, or one archive in it."""
    connection: str | None = None
    """An Airflow HTTP connection, which adds its login and headers to `url`."""
    max_bytes: int = Field(default=5_000_000_000, ge=1)
    """The most bytes of the archive behind `url`; a larger one fails the run."""
    labels: Labels = FolderLabels(type="folder")
    """How an image gets its label; it is its folder's name when left out."""
    limits: ImageLimits = ImageLimits.unwritten()
    """How much may come in."""

    @rule
    def _one_place(self) -> Broken:
        if sum(place is not None for place in (self.path, self.url, self.prefix)) != 1:
            yield PydanticCustomError(
                "images", "images come from one place: write `path`, `url` or `prefix`"
            )
        if self.url is None and {"connection", "max_bytes"} & self.model_fields_set:
            yield PydanticCustomError("images", "`connection` and `max_bytes` belong to `url` only")

    def read(self, context: IngestContext) -> "Rows":
        """The rows, sorted by path: one a file, with nulls where a file cannot be decoded."""
        from factory.data.images.ingest import ingest_images

        return ingest_images(
            islice(self.find(context), context.most_rows),
            self.labels.reader(context.folders, context.workspace),
            max_pixels=self.limits.max_pixels,
            store=ImageStore(context.workspace, context.team, context.lake),
            file=context.file,
        )

    def find(self, context: IngestContext) -> Iterator[Found]:
        """The files that are taken for images by their names, one after the other.

        Hidden files and folders are left out, and files whose names do not end as images' do.

        Raises:
            TerminalError: The source cannot be used as it is, or breaks its limits.
            FactoryError: A server does not answer.
        """
        kept = _Kept(self.limits)
        if self.path is not None:
            yield from kept.images(_in_project(self.limits, context.folders, self.path))
        elif self.url is not None:
            yield from kept.images(self._behind_address(str(self.url), context))
        elif self.prefix is not None:
            check_lake(self.prefix, context.lake.storage)
            yield from kept.images(_in_store(self.limits, self.prefix, context.workspace))
        kept.finish()

    def _behind_address(self, url: str, context: IngestContext) -> Iterator[Found]:
        from factory.data.download import download

        login = context.login(self.connection)
        archive = context.workspace / "download.archive"
        try:
            download(
                url,
                archive,
                max_bytes=self.max_bytes,
                login=login,
                internal_hosts=context.internal_hosts,
            )
            yield from _in_archive(self.limits, archive, "")
        finally:
            archive.unlink(missing_ok=True)

    def known_columns(self) -> tuple[str, ...]:
        """The same of all images: `image` is the address of the bytes."""
        return ("path", "label", "image", "format", "width", "height", "bytes")


class _Kept:
    """Counts what comes in, and leaves out what is no image."""

    def __init__(self, limits: ImageLimits) -> None:
        self.limits = limits
        self.files = 0
        self.bytes = 0
        self.others = 0
        self.other_names: list[str] = []

    def images(self, found: Iterable[Found]) -> Iterator[Found]:
        for file in found:
            if not is_image(file.path):
                self.others += 1
                if len(self.other_names) < _SHOWN:
                    self.other_names.append(file.path)
                continue
            self.files += 1
            if self.files > self.limits.max_files:
                raise ImageError(
                    f"there are more than {self.limits.max_files:,} images: raise "
                    "`source.limits.max_files` if that is right"
                )
            yield Found(file.path, _Counted(file, self))

    def add(self, count: int) -> None:
        self.bytes += count
        if self.bytes > self.limits.max_total_bytes:
            raise ImageError(
                f"the images have more than {self.limits.max_total_bytes:,} bytes together: raise "
                "`source.limits.max_total_bytes` if that is right"
            )

    def finish(self) -> None:
        if self.others:
            log.info("left out %d other files: %s", self.others, ", ".join(self.other_names))
        if not self.files:
            beside = f", but {self.others} others: {', '.join(self.other_names)}"
            raise ImageError(
                f"there is no image{beside if self.others else ''}. Names of images end with "
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


def is_image(path: str) -> bool:
    """Whether a file is taken for an image by its name."""
    parts = PurePosixPath(path).parts
    # Macs put a hidden twin of each file into archives, with the suffix of an image.
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in parts)
    return not hidden and PurePosixPath(path).suffix.lower() in SUFFIXES


def _is_archive(name: str) -> bool:
    return name.lower().endswith(_ARCHIVES)


def _in_project(limits: ImageLimits, folders: "DataFolders", pattern: str) -> Iterator[Found]:
    root = folders.project.resolve()
    named = root / pattern
    if named.is_dir():
        folders.check(named)
        for file in _walk(named):
            if file.name.startswith("."):
                continue
            folders.check(file)
            yield from _opened(file, file.relative_to(named).as_posix())
        return
    base = named.parent if named.is_file() else root / _fixed_part(pattern)
    # As in a shell, a glob does not mean hidden files.
    found = (file for file in root.glob(pattern) if not is_hidden(file.relative_to(root)))
    files = [named] if named.is_file() else sorted(filter(Path.is_file, found))
    several = sum(_is_archive(file.name) for file in files) > 1
    for file in files:
        folders.check(file)
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


def _opened(file: Path, path: str) -> Iterator[Found]:
    try:
        path.encode()
    except UnicodeEncodeError as error:
        raise ImageError(f"the file name {path!r} is not in UTF-8: rename the file") from error
    with file.open("rb") as content:
        yield Found(path, content)


def _in_archive(limits: ImageLimits, archive: Path, folder: str) -> Iterator[Found]:
    from factory.data import archives

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


def _in_store(limits: ImageLimits, prefix: str, workspace: Path) -> Iterator[Found]:
    from factory.base.parallel import in_order
    from factory.lake.storage.files import Files

    if _is_archive(prefix):
        parent, _, name = prefix.rpartition("/")
        archive = workspace / "download.archive"
        try:
            Files.at(parent).download(name, archive)
            yield from _in_archive(limits, archive, "")
        finally:
            archive.unlink(missing_ok=True)
        return
    files = Files.at(prefix)
    most = limits.max_file_bytes + 1
    # What is no image is not fetched.
    names = (name for name in files.names() if is_image(name))
    for name, content in in_order(names, lambda name: files.read(name, most), at_once=_AT_ONCE):
        yield Found(name, BytesIO(content))
