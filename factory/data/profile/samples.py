"""Text files as they are looked at: in UTF-8, unpacked, and of large ones the first part."""

import codecs
import io
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from factory.base.errors import TerminalError
from factory.data.profile.encodings import Encoding, encoding_of, packing

HEAD_BYTES = 256 << 10
_CHUNK = 1 << 20
_PACKED = (".gz", ".zst", ".bz2")
_MOST_FILES = 1000
_SIGNATURES = (
    (b"PK\x03\x04", "an archive or a workbook: unpack it, or let its name end in .xlsx"),
    (b"PAR1", "a Parquet file: let its name end in .parquet"),
    (b"%PDF", "a PDF file, which has no rows"),
    (b"SQLite format 3", "an SQLite database: query it through a connection with `source: {type: sql}`"),
    (b"\xd0\xcf\x11\xe0", "an old workbook, or one with a password: save it as .xlsx, without a password"),
)  # fmt: skip


class NoTextError(TerminalError):
    """A file that is no text, or cannot be unpacked."""


@dataclass(frozen=True)
class TextFile:
    """A text file as it lies there."""

    path: Path
    packing: str | None
    """`gzip`, `zstd`, `bz2`, or None; by what it begins with, whatever its name says."""
    encoding: Encoding
    start: bytes
    """Its first bytes, unpacked."""

    @classmethod
    def at(cls, path: Path) -> "TextFile":
        """The file at a path, of which the first bytes are read.

        Raises:
            NoTextError: It is empty, no text, or cannot be unpacked.
        """
        with path.open("rb") as file:
            magic = file.read(16)
        for signature, what in _SIGNATURES:
            if magic.startswith(signature):
                raise NoTextError(f"{path.name} is {what}")
        packed = packing(magic)
        start = next(_chunks(path, packed, HEAD_BYTES), b"")
        encoding = encoding_of(start)
        if not start.strip():
            raise NoTextError(f"{path.name} is empty, without even a header")
        if encoding.name in ("utf-8", "latin-1") or encoding.is_guess:
            _check_text(path, start)
        return cls(path, packed, encoding, start)


@dataclass(frozen=True)
class Sample:
    """Text files, or the first part of them, in UTF-8 and unpacked."""

    files: Sequence[Path]
    encoding: Encoding
    packing: str | None
    is_whole: bool
    left_out: int
    """Files that were not looked at."""

    @property
    def lines(self) -> list[str]:
        """The first lines of the first file, with their ends."""
        with self.files[0].open(encoding="utf-8", newline="") as file:
            return io.StringIO(file.read(HEAD_BYTES), newline="").readlines()

    @property
    def is_head_whole(self) -> bool:
        """Whether `lines` are all of the first file."""
        return self.is_whole and self.files[0].stat().st_size <= HEAD_BYTES


def sample(paths: Sequence[Path], folder: Path, most_bytes: int) -> Sample:
    """Copy files, or the first part of them, into a folder.

    Args:
        paths: At least one.
        folder: Where to; each copy bears the name of its file, in a folder of its own.
        most_bytes: How much to copy at most, of all files together, counted once they are unpacked.

    Raises:
        NoTextError: A file is no text, or cannot be unpacked.
    """
    looked = paths[:_MOST_FILES]
    files = [TextFile.at(path) for path in looked]
    # The first that is not ASCII alone tells: UTF-8 is what ASCII is too.
    encoding = next((file for file in files if not file.start.isascii()), files[0]).encoding
    share = max(most_bytes // len(files), _CHUNK)
    try:
        targets, is_whole = _copies(files, encoding, folder, share)
    except UnicodeDecodeError as error:
        # What comes late in a file tells of its encoding too.
        encoding = encoding_of(error.object[max(0, error.start - 2000) : error.start + 2000])
        try:
            targets, is_whole = _copies(files, encoding, folder, share)
        except UnicodeDecodeError:
            raise NoTextError(
                f"{', '.join(file.path.name for file in files[:5])}: no encoding has all signs"
            ) from error
    return Sample(targets, encoding, files[0].packing, is_whole, len(paths) - len(looked))


def _copies(
    files: Sequence[TextFile], encoding: Encoding, folder: Path, most_bytes: int
) -> tuple[list[Path], bool]:
    """The copies, and whether each is of all of its file."""
    targets, is_whole = [], True
    for number, file in enumerate(files):
        # What a copy is called must not say that it is packed.
        name = file.path.stem if file.path.suffix in _PACKED else file.path.name
        target = folder / f"sample{number}" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        is_whole &= _copy(file, encoding, target, most_bytes)
        targets.append(target)
    return targets, is_whole


def _copy(file: TextFile, encoding: Encoding, target: Path, most_bytes: int) -> bool:
    """Copy a file up to the end of a row; whether that is all of it."""
    name = "utf-8-sig" if encoding.name == "utf-8" else encoding.name
    decoder = codecs.getincrementaldecoder(name)()
    copied = quotes = 0
    with target.open("w", encoding="utf-8", newline="") as written:
        for chunk in _chunks(file.path, file.packing, _CHUNK):
            text = decoder.decode(chunk)
            if copied + len(chunk) > most_bytes:
                written.write(_up_to_a_row(text, quotes))
                return False
            written.write(text)
            copied += len(chunk)
            quotes += text.count('"')
        written.write(decoder.decode(b"", final=True))
    return True


def _up_to_a_row(text: str, quotes: int) -> str:
    """The text up to its last line end outside of quotes, of which there are so many before it."""
    end = last = text.rfind("\n") + 1
    quotes += text.count('"', 0, end)
    while end and quotes % 2:
        before = text.rfind("\n", 0, end - 1) + 1
        quotes -= text.count('"', before, end)
        end = before
    return text[: end or last]


def _chunks(path: Path, packed: str | None, size: int) -> Iterator[bytes]:
    """A file's bytes, unpacked.

    Raises:
        NoTextError: It cannot be unpacked.
    """
    import pyarrow as pa

    try:
        with pa.input_stream(str(path), compression=packed) as stream:
            while chunk := stream.read(size):
                yield bytes(chunk)
    except (OSError, pa.ArrowException, zlib.error) as error:
        raise NoTextError(f"{path.name} cannot be read: {error}") from error


def _check_text(path: Path, start: bytes) -> None:
    if b"\0" in start:
        raise NoTextError(
            f"{path.name} is no text: it has bytes that no text has. Files of CSV, JSON and Parquet are read"
        )
