"""The text of a file: read with care, and cited where a problem is shown."""

import re
import stat
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from factory.base.secrets import without_secrets
from factory.base.texts import did_you_mean
from factory.team.codes import code_of
from factory.team.problems import Problem, ReadFailed

MAX_BYTES = 1_000_000
"""Larger files are refused unread: a team file is a few kilobytes."""

_BYTE_ORDER_MARK = "\ufeff"
_LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_LONGEST_CITATION = 200


@dataclass(frozen=True)
class SourceText:
    """The text of one file and where it comes from."""

    file: Path
    text: str

    @cached_property
    def lines(self) -> list[str]:
        """Its lines, the first of which has the number 1."""
        return _LINE_BREAK.split(self.text)

    def line(self, number: int) -> str:
        """The text of a line, counted from 1; empty beyond the last."""
        return self.lines[number - 1] if number <= len(self.lines) else ""

    def problem(
        self,
        name: str,
        line: int,
        column: int,
        message: str,
        suggestion: str | None = None,
        length: int = 1,
        key_line: int = 0,
    ) -> Problem:
        """A problem at a place in this text; line and column count from 1, `name` is its code's."""
        cited = self.line(line)[:_LONGEST_CITATION] if column <= _LONGEST_CITATION else ""
        return Problem(
            self.file,
            line,
            column,
            code_of(name),
            without_secrets(message),
            suggestion,
            without_secrets(cited),
            length,
            key_line,
        )

    def problem_at(
        self, name: str, offset: int, message: str, suggestion: str | None = None
    ) -> Problem:
        """A problem at a character, counted from 0."""
        before = _LINE_BREAK.split(self.text[:offset])
        return self.problem(name, len(before), len(before[-1]) + 1, message, suggestion)


def read_text(file: Path) -> SourceText:
    """The text of a file.

    Raises:
        ReadFailed: The file cannot be read, is no text in UTF-8, or is larger than `MAX_BYTES`.
    """
    try:
        content = _read_bytes(file)
    except OSError as error:
        raise ReadFailed([_not_opened(file, error)]) from None
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ReadFailed([_not_utf8(file, content, error)]) from None
    return SourceText(file, text.removeprefix(_BYTE_ORDER_MARK))


def _read_bytes(file: Path) -> bytes:
    status = file.stat()
    if stat.S_ISDIR(status.st_mode):
        raise ReadFailed([unreadable(file, "this is a folder, not a file")])
    if not stat.S_ISREG(status.st_mode):
        # A pipe or a device may never end.
        raise ReadFailed([unreadable(file, "this is not a regular file")])
    with file.open("rb") as stream:
        content = stream.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        message = f"the file has {status.st_size:,} bytes, more than {MAX_BYTES:,}"
        advice = "keep data in files of its own, and SQL in files that `file:` names"
        raise ReadFailed([unreadable(file, message, advice)])
    return content


def _not_opened(file: Path, error: OSError) -> Problem:
    if file.is_symlink() and isinstance(error, FileNotFoundError):
        message = f"this link points to a file that does not exist: {file.readlink()}"
        return unreadable(file, message)
    if isinstance(error, FileNotFoundError):
        return unreadable(file, "there is no such file", _nearby(file))
    return unreadable(file, f"the file cannot be read: {error.strerror or error}")


def _nearby(file: Path) -> str | None:
    """A file of the same folder whose name is like the one that is not there."""
    try:
        names = [path.name for path in file.parent.iterdir()]
    except OSError:
        return f"there is no folder {file.parent} either"
    return did_you_mean(file.name, names)


def unreadable(
    path: Path, message: str, suggestion: str | None = None, *, name: str = "unreadable"
) -> Problem:
    """A problem of a file or folder as a whole; `name` is its code's."""
    return Problem(path, 1, 1, code_of(name), message, suggestion)


def _not_utf8(file: Path, content: bytes, error: UnicodeDecodeError) -> Problem:
    readable = content[: error.start].decode("utf-8").removeprefix(_BYTE_ORDER_MARK)
    message = f"this is not UTF-8: byte 0x{content[error.start]:02x} at offset {error.start}"
    source = SourceText(file, readable)
    return source.problem_at(
        "unreadable", len(readable), message, "save the file with the encoding UTF-8"
    )
