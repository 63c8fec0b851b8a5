"""The files in a tar, tar.gz or zip archive that is not trusted.

An archive is refused as a whole at the first entry that is not a plain file or folder, whose name
leads elsewhere, or that breaks a limit. Limits are counted as bytes are unpacked: what headers
say of sizes is not believed. Archives within archives stay files.
"""

import gzip
import io
import os
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from factory.base.errors import TerminalError
from factory.base.files import ReadableBytes

CHUNK = 1 << 18
"""Bytes that are unpacked at once."""

_HEADER_BYTES = 1 << 20
_HEADER_BYTES_A_FILE = 4096
_HARMLESS_BYTES = 100_000_000
_NAME_BYTES = 255
_PATH_BYTES = 4096


class ArchiveError(TerminalError):
    """An archive that is broken, dangerous or larger than allowed."""


@dataclass(frozen=True)
class Limits:
    """How much an archive may hold; no limit is checked by what the archive says of itself."""

    max_files: int = 100_000
    max_file_bytes: int = 2_000_000_000
    max_total_bytes: int = 20_000_000_000
    max_ratio: int = 100
    """Unpacked bytes for each byte of the archive; not asked of the first 100 MB."""


@dataclass(frozen=True)
class Member:
    """One file of an archive."""

    name: str
    """A relative path with slashes, of which no part is `..`."""
    content: ReadableBytes
    """To be read before the next member is asked for; raises ArchiveError beyond a limit."""


def extract(archive: Path, folder: Path, limits: Limits) -> list[Path]:
    """Unpack an archive into a folder, which holds all of it or is not there.

    Args:
        archive: A tar, tar.gz or zip file; which of them is told by its first bytes.
        folder: A folder that does not exist, or is empty. Files in it are the owner's alone.
        limits: How much may come out.

    Returns:
        The files, in the archive's order.

    Raises:
        ArchiveError: The archive cannot be used: see the module.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=f"{folder.name}.unfinished.", dir=folder.parent))
    try:
        names = [_unpack(member, archive, unfinished) for member in members(archive, limits)]
        unfinished.replace(folder)
    finally:
        if unfinished.exists():
            shutil.rmtree(unfinished)
    return [folder / name for name in names]


def members(archive: Path, limits: Limits) -> Iterator[Member]:
    """The files of an archive, one after the other; nothing is written, little is held in memory.

    Args:
        archive: A tar, tar.gz or zip file; which of them is told by its first bytes.
        limits: How much may come out.

    Raises:
        ArchiveError: The archive cannot be used: see the module.
    """
    with archive.open("rb") as file:
        start = file.read(512)
    counter = _Counter(archive, limits)
    if start.startswith(b"PK"):
        return _zip_members(archive, counter)
    if start.startswith(b"\x1f\x8b") or start[257:262] == b"ustar":
        return _tar_members(archive, counter)
    raise ArchiveError(f"{archive.name} is no tar, tar.gz or zip archive")


def _unpack(member: Member, archive: Path, folder: Path) -> str:
    file = folder / member.name
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        private = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(private, "wb") as target:
            while chunk := member.content.read(CHUNK):
                target.write(chunk)
    except (FileExistsError, NotADirectoryError) as error:
        raise ArchiveError(
            f"{archive.name}: {member.name!r} is a file and a folder at once"
        ) from error
    return member.name


class _Counter:
    """What has come out of one archive so far."""

    def __init__(self, archive: Path, limits: Limits) -> None:
        self.archive = archive.name
        self.limits = limits
        self.bytes = 0
        self.names: set[str] = set()
        self.most = min(
            limits.max_total_bytes,
            max(_HARMLESS_BYTES, limits.max_ratio * archive.stat().st_size),
        )

    def add_file(self, name: str) -> str:
        """The entry's name, if it may come out."""
        name = self.checked(name)
        if name in self.names:
            raise ArchiveError(
                f"{self.archive} holds {name!r} twice: nobody knows which one counts"
            )
        if len(self.names) >= self.limits.max_files:
            raise ArchiveError(
                f"{self.archive} holds more than {self.limits.max_files:,} files (`max_files`)"
            )
        self.names.add(name)
        return name

    def add_bytes(self, count: int) -> None:
        self.bytes += count
        if self.bytes <= self.most:
            return
        if self.bytes > self.limits.max_total_bytes:
            raise ArchiveError(
                f"{self.archive} unpacks to more than {self.limits.max_total_bytes:,} bytes "
                "(`max_total_bytes`)"
            )
        raise ArchiveError(
            f"{self.archive} unpacks to more than {self.limits.max_ratio} times its size: "
            "that is how archives look that are made to fill disks"
        )

    def checked(self, name: str) -> str:
        """The entry's name with slashes, if it stays within the folder."""
        path = PurePosixPath(name.replace("\\", "/"))
        parts = path.parts
        wrong = (
            path.is_absolute()
            or ".." in parts
            or not parts
            or "\0" in name
            or (len(parts[0]) > 1 and parts[0][1] == ":")
        )
        if wrong:
            raise ArchiveError(
                f"{self.archive} holds {name!r}, which leads out of the folder that it is unpacked "
                "into: do not use this archive unless you know who made it"
            )
        try:
            lengths = [len(part.encode()) for part in parts]
        except UnicodeEncodeError as error:
            raise ArchiveError(f"{self.archive}: the name {name!r} is not in UTF-8") from error
        if max(lengths) > _NAME_BYTES or sum(lengths) + len(parts) > _PATH_BYTES:
            raise ArchiveError(f"{self.archive}: the name {name[:80]!r}… is too long")
        return str(path)

    def refuse(self, name: str, what: str) -> ArchiveError:
        return ArchiveError(
            f"{self.archive}: {name!r} is {what}; only plain files and folders are unpacked"
        )


class _Content:
    """One file's bytes, counted."""

    def __init__(self, name: str, source: IO[bytes], counter: _Counter) -> None:
        self.name = name
        self.source = source
        self.counter = counter
        self.bytes = 0

    def read(self, size: int, /) -> bytes:
        with _broken_archives(self.counter.archive):
            chunk = self.source.read(min(size, CHUNK))
        self.bytes += len(chunk)
        self.counter.add_bytes(len(chunk))
        if self.bytes > self.counter.limits.max_file_bytes:
            raise ArchiveError(
                f"{self.counter.archive}: {self.name!r} is larger than "
                f"{self.counter.limits.max_file_bytes:,} bytes (`max_file_bytes`)"
            )
        return chunk

    def skip(self) -> None:
        """Read the rest, so that it counts too."""
        while self.read(CHUNK):
            pass


def _tar_members(archive: Path, counter: _Counter) -> Iterator[Member]:
    with archive.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        stream = _ForwardStream(gzip.GzipFile(fileobj=file) if packed else file, counter)
        with _broken_archives(counter.archive):
            tar = tarfile.open(fileobj=stream, mode="r:")  # noqa: SIM115
        while True:
            stream.in_headers = True
            with _broken_archives(counter.archive):
                entry = tar.next()
            stream.in_headers = False
            # tarfile keeps every entry in memory; none is needed again.
            tar.members.clear()  # type: ignore[attr-defined]
            if entry is None:
                stream.check_end()
                return
            name = _checked_entry(entry, counter)
            if entry.isdir():
                continue
            counter.add_file(name)
            opened = tar.extractfile(entry)
            if opened is None:
                raise counter.refuse(name, "no plain file")
            content = _Content(name, opened, counter)
            yield Member(name, content)
            content.skip()


def _checked_entry(entry: tarfile.TarInfo, counter: _Counter) -> str:
    name = counter.checked(entry.name) if not _is_top(entry) else "."
    if entry.issym() or entry.islnk():
        raise counter.refuse(entry.name, f"a link to {entry.linkname!r}")
    if not (entry.isreg() or entry.isdir()) or entry.issparse():
        raise counter.refuse(entry.name, "a device, a pipe or a file with holes")
    try:
        tarfile.data_filter(entry, os.sep)
    except tarfile.FilterError as error:
        raise ArchiveError(f"{counter.archive}: {error}") from error
    return name


def _is_top(entry: tarfile.TarInfo) -> bool:
    """Whether it is the folder itself: `tar -C folder .` writes one."""
    return entry.isdir() and entry.name in (".", "./")


class _ForwardStream(io.RawIOBase):
    """The stream that tarfile reads: it only goes forward, in reads that fit into memory.

    Tarfile believes what a header says of its own length, and takes a broken header for the end.
    """

    def __init__(self, source: ReadableBytes, counter: _Counter) -> None:
        super().__init__()
        self.source = source
        self.counter = counter
        self.place = 0
        self.last = b""
        self.header_bytes = 0
        self.in_headers = True

    def read(self, size: int = -1, /) -> bytes:
        if size < 0 or size > _HEADER_BYTES:
            raise tarfile.ReadError("a header of impossible length")
        self.last = self.source.read(size)
        self.place += len(self.last)
        if self.in_headers:
            self.header_bytes += len(self.last)
            allowed = _HEADER_BYTES + _HEADER_BYTES_A_FILE * (len(self.counter.names) + 1)
            if self.header_bytes > allowed:
                raise ArchiveError(f"{self.counter.archive}: its headers are larger than its files")
        return self.last

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.place

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        if whence != os.SEEK_SET or offset < self.place:
            raise tarfile.ReadError("entries that overlap")
        while self.place < offset:
            if not self.read(min(CHUNK, offset - self.place)):
                raise tarfile.ReadError("unexpected end of data")
        return self.place

    def check_end(self) -> None:
        """Check that the archive ended where tarfile stopped.

        Raises:
            ArchiveError: It is cut, or an entry's header is broken.
        """
        if len(self.last) < tarfile.BLOCKSIZE or self.last.strip(b"\0"):
            raise ArchiveError(
                f"{self.counter.archive} is broken: it ends, or cannot be read any further, after "
                f"{len(self.counter.names):,} files. Fetch or make it again"
            )


def _zip_members(archive: Path, counter: _Counter) -> Iterator[Member]:
    with archive.open("rb", buffering=0) as file:
        limited = _LimitedReads(file, counter)
        with _broken_archives(counter.archive):
            opened = zipfile.ZipFile(limited)
        with opened:
            for entry in opened.infolist():
                name = counter.checked(entry.filename)
                kind = stat.S_IFMT(entry.external_attr >> 16)
                if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                    raise counter.refuse(name, "a link, a device or a pipe")
                if entry.is_dir():
                    continue
                if entry.flag_bits & 0x1:
                    raise ArchiveError(f"{counter.archive}: {name!r} is encrypted")
                # The other methods unpack whole blocks at once, however large these become.
                if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                    raise ArchiveError(
                        f"{counter.archive}: {name!r} is compressed in another way than by deflate; "
                        "write the archive with the usual settings"
                    )
                counter.add_file(name)
                with _broken_archives(counter.archive):
                    source = opened.open(entry)
                with source:
                    content = _Content(name, source, counter)
                    yield Member(name, content)
                    content.skip()


class _LimitedReads(io.BufferedReader):
    """Refuses a read that is larger than the directory of so many files needs."""

    def __init__(self, raw: io.FileIO, counter: _Counter) -> None:
        super().__init__(raw)
        self.counter = counter

    def read(self, size: int | None = -1, /) -> bytes:
        allowed = _HEADER_BYTES + 1024 * self.counter.limits.max_files
        if size is not None and size > allowed:
            raise ArchiveError(
                f"{self.counter.archive} holds more than {self.counter.limits.max_files:,} files "
                "(`max_files`)"
            )
        return super().read(size)


@contextmanager
def _broken_archives(archive: str) -> Iterator[None]:
    try:
        yield
    except (
        tarfile.TarError,
        zipfile.BadZipFile,
        gzip.BadGzipFile,
        zlib.error,
        EOFError,
        # Sizes and offsets that make no sense, and headers within headers.
        ValueError,
        OverflowError,
        RecursionError,
        NotImplementedError,
    ) as error:
        raise ArchiveError(
            f"{archive} is broken ({error or type(error).__name__}): fetch or make it again"
        ) from error
