"""How values and files of text are written: what a team says about it, whatever the files' columns are like."""

import codecs
import io
import itertools
import logging
import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from factory.base.errors import TerminalError
from factory.base.rules import Broken, rule
from factory.base.section import ListOf, Section

if TYPE_CHECKING:
    from factory.data.sources.text_forms import Writing

log = logging.getLogger(__name__)

OPEN = "?"
"""What stands in a team file where a person has to decide, as `factory init` writes it."""
_PACKED = {".gz": "gzip", ".zst": "zstd", ".bz2": "bz2"}


class DoubtfulColumnError(TerminalError):
    """A column that is numbers or dates but for a few values, where `on_doubt` is `halt`."""


def known_encoding(name: str) -> str:
    """A name of an encoding of text, if Python knows it."""
    try:
        codecs.lookup(name).incrementaldecoder  # noqa: B018 - raises where it is no encoding of text
    except LookupError:
        raise PydanticCustomError(
            "encoding", "Python knows no encoding {name}: write utf-8, utf-16, cp1252, latin-1 …",
            {"name": repr(name)},
        ) from None  # fmt: skip
    return name


def _known_format(form: str) -> str:
    """A format of dates, if DuckDB's strptime knows it."""
    if form == OPEN:
        raise PydanticCustomError(
            "open_question",
            "{found} stands for a question that nobody has answered yet: how are these dates written?",
            {"found": repr(form), "advice": "write one of the formats that the comment names"},
        )
    words = re.findall(r"%-?(.?)", form)
    unknown = [word for word in words if word not in "aAbBcdDfgGHIjmMnpSuUVwWxXyYzZ%-" or not word]
    if words and not unknown:
        _check_words(form, words)
        return form
    raise PydanticCustomError(
        "date_format",
        "{found} says nothing to strptime: write such as '%d/%m/%Y', '%Y-%m-%d %H:%M'",
        {"found": f"%{unknown[0]}" if unknown else repr(form)},
    )


_CLOCKS = {"H", "I", "c", "X"}
_INSTEAD = {"M": "%M is the minute, and %m the month", "m": "%m is the month, and %M the minute"}


def _check_words(form: str, words: Sequence[str]) -> None:
    """Refuse a format that reads something, and not what is meant."""
    known = set(words)
    twice = next((word for word in words if words.count(word) > 1 and word != "%"), None)
    found = None
    if twice is not None:
        found = f"%{twice} stands in it twice"
        found += f": {_INSTEAD[twice]}" if twice in _INSTEAD else ""
    elif "M" in known and not known & _CLOCKS:
        found = f"{_INSTEAD['M']}: it has minutes, and no hour"
    elif "p" in known and "I" not in known:
        found = "%p is AM or PM, which %H does not look at: write %I for hours up to 12"
    elif "I" in known and "p" not in known:
        found = "%I is an hour up to 12, and nothing says AM or PM: write %H for hours up to 24, or %p as well"
    if found is not None:
        raise PydanticCustomError(
            "date_format",
            "{form} is not what is meant: {found}",
            {"form": repr(form), "found": found},
        )


def _one_sign(text: object) -> object:
    """A sign that stands between values; says how to write those that YAML and people write otherwise."""
    if text == "" or (isinstance(text, str) and text.lower() in _SIGNS):
        told = _SIGNS.get(
            str(text).lower(),
            '"|" or ">" in quotes, if it is one of these: alone they start a block of text',
        )
        raise PydanticCustomError(
            "marks", "{found} is no sign", {"found": repr(text), "advice": f"write {told}"}
        )
    return text


_SIGNS = {
    "\\t": '"\\t" in double quotes, which is the tabulator', "tab": '"\\t" in double quotes, which is the tabulator',
    "comma": '","', "semicolon": '";"', "pipe": '"|"', "space": '" "',
}  # fmt: skip
Format = Annotated[str, AfterValidator(_known_format)]
Character = Annotated[str, Field(min_length=1, max_length=1), BeforeValidator(_one_sign)]


class TextValues(Section):
    """How numbers and dates are written in values that are texts."""

    decimal: Literal[".", ","] = "."
    """What is between whole numbers and fractions."""
    thousands: Character | None = None
    """What is between thousands: `1,234` with `thousands: ","`."""
    date_format: Format | None = Field(default=None, examples=["%d.%m.%Y"])
    """How dates are written, in strptime's words: `%d/%m/%Y`."""
    timestamp_format: Format | None = Field(default=None, examples=["%d.%m.%Y %H:%M"])
    """How points in time are written, in strptime's words: `%d/%m/%Y %H:%M`."""
    null_values: ListOf[str] = Field(default=("",), examples=[["", "NA"]])
    """What stands for no value."""
    on_doubt: Literal["warn", "halt", "text"] = "warn"
    """What to do about a column that is numbers or dates but for a few values: it stays text, with a warning or without
    one, or the run fails."""

    @rule
    def _different_marks_of_numbers(self) -> Broken:
        yield from same_marks(self, [("thousands", "decimal")])

    @property
    def writing(self) -> "Writing":
        """How numbers and dates are written, for those who look at columns of text."""
        from factory.data.sources.text_forms import Writing

        return Writing(self.decimal, self.thousands, self.date_format, self.timestamp_format)

    def written_how(self) -> dict[str, Any]:
        """See `Source.written_how`."""
        return self.said_of(TextValues)

    def said_of(self, dialect: type[Section]) -> dict[str, Any]:
        """What is not as by default, of the fields of a class of dialects."""
        return {
            name: getattr(self, name)
            for name in sorted(dialect.model_fields)
            if name != "on_doubt" and getattr(self, name) != type(self).model_fields[name].default
        }

    def tell(self, doubts: Sequence[str]) -> None:
        """Say what is in doubt, as `on_doubt` has it.

        Raises:
            DoubtfulColumnError: Something is, and `on_doubt` is `halt`.
        """
        if doubts and self.on_doubt == "halt":
            raise DoubtfulColumnError("\n".join(doubts))
        if self.on_doubt == "warn":
            for doubt in doubts:
                log.warning("%s", doubt)


class ValueDialect(TextValues):
    """How values are written in files that say little of their types."""

    skip: int = Field(default=0, ge=0, le=10_000)
    """Lines before the header, or before the first row, that are not read."""
    skip_footer: int = Field(default=0, ge=0, le=10_000)
    """Lines at the end that are not read."""

    def written_how(self) -> dict[str, Any]:
        """See `Source.written_how`."""
        return self.said_of(ValueDialect)


class TextDialect(ValueDialect):
    """How files of text are written, whatever stands between their columns."""

    encoding: Annotated[str, AfterValidator(known_encoding)] = "utf-8"
    """As Python calls it: `cp1252`, `latin-1`, `utf-16` …"""
    comment: Character | None = None
    """What a line begins with that is not read."""
    compression: Literal["auto", "none", "gzip", "zstd", "bz2"] = "auto"
    """`auto` goes by the file's name: `.gz`, `.zst`, `.bz2`."""

    def written_how(self) -> dict[str, Any]:
        """See `Source.written_how`."""
        return self.said_of(TextDialect)

    @property
    def is_copied(self) -> bool:
        """Whether DuckDB cannot read the files as they are."""
        plain = codecs.lookup(self.encoding).name in ("utf-8", "utf-8-sig")
        return (
            not plain
            or self.skip_footer > 0
            or self.compression == "bz2"
            or self.skips_beside_comments
        )

    @property
    def skips_beside_comments(self) -> bool:
        """Whether there are lines to skip and comments too, which DuckDB would not count among them."""
        return self.skip > 0 and self.comment is not None

    def copies(self, files: Sequence[Path], folder: Path) -> list[Path]:
        """The files in UTF-8, unpacked and without their footers; themselves where that is so already.

        Args:
            files: What to copy.
            folder: Where to; each copy bears the name of its file, in a folder of its own.

        Raises:
            TerminalError: A file is not in the encoding; names the line.
        """
        found = []
        for number, file in enumerate(files):
            if not (self.is_copied or self.packing(file) == "bz2"):
                found.append(file)
                continue
            copy = folder / str(number) / file.name
            copy.parent.mkdir(parents=True, exist_ok=True)
            with copy.open("w", encoding="utf-8", newline="") as written:
                written.writelines(self._without_footer(self._commented(self.lines(file))))
            found.append(copy)
        return found

    def start(self, file: Path) -> bytes:
        """The first bytes of a file, unpacked."""
        import pyarrow as pa

        with pa.input_stream(str(file), compression=self.packing(file)) as stream:
            return bytes(stream.read(64))

    def lines(self, file: Path, errors: str = "strict") -> Iterator[str]:
        """The lines of a file, unpacked and decoded, with their ends."""
        import pyarrow as pa

        name = codecs.lookup(self.encoding).name
        encoding = "utf-8-sig" if name == "utf-8" else name  # a mark at the start is no text
        number = 0
        with (
            pa.input_stream(str(file), compression=self.packing(file)) as stream,
            io.TextIOWrapper(stream, encoding, errors, newline="") as text,
        ):
            try:
                for line in text:
                    number += 1
                    yield line
            except UnicodeDecodeError as error:
                # It stops at the block that it cannot decode; all lines before have been handed out.
                number += 1 + error.object[: error.start].count(b"\n")
                raise TerminalError(
                    f"{file.name}: line {number} is not in {self.encoding} ({error.reason}): write "
                    "`encoding`, such as cp1252"
                ) from None

    def _commented(self, lines: Iterator[str]) -> Iterator[str]:
        """The lines; those to skip as comments where there are any, so that all keep their numbers."""
        if self.skips_beside_comments:
            for _ in itertools.islice(lines, self.skip):
                yield f"{self.comment}\n"
        yield from lines

    def _without_footer(self, lines: Iterator[str]) -> Iterator[str]:
        waiting: deque[str] = deque()
        for line in lines:
            waiting.append(line)
            if len(waiting) > self.skip_footer:
                yield waiting.popleft()

    def packing(self, file: Path) -> str | None:
        """How a file is packed; None where it is not."""
        if self.compression == "auto":
            return _PACKED.get(file.suffix)
        return None if self.compression == "none" else self.compression


def same_marks(section: Section, pairs: Sequence[tuple[str, str]]) -> Broken:
    """What is wrong where two marks are the same, which DuckDB would refuse when it reads."""
    for one, other in pairs:
        mark = getattr(section, one)
        if mark and mark == getattr(section, other):
            yield PydanticCustomError(
                "marks",
                "`{one}` and `{other}` are both {mark}: write how the file has them",
                {"one": one, "other": other, "mark": repr(mark), "at": (one,)},
            )


def check_header(file: str, names: Iterable[str]) -> None:
    """Check that no two columns of a header have the same name, upper and lower case being the same.

    Raises:
        TerminalError: Two have; names both.
    """
    seen: dict[str, str] = {}
    for name in filter(None, map(str.strip, names)):
        if name.lower() in seen:
            raise TerminalError(
                f"{file}: the header has the columns {seen[name.lower()]!r} and {name!r}, which are "
                "the same to SQL: rename one where the file is made"
            )
        seen[name.lower()] = name
