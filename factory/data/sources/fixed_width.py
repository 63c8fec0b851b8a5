"""`source: {type: fixed_width}`."""

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from factory.base.rules import Broken, rule
from factory.base.section import Text
from factory.data.sources.files import FilesToRead
from factory.data.sources.text_dialect import TextDialect, check_header
from factory.data.sources.text_files import Texts, TextSource

_RANGE = re.compile(r"([1-9][0-9]{0,5}) ?- ?([1-9][0-9]{0,5})")
_NEVER = "\x1f"
"""What is between no values, so that DuckDB gives whole lines."""
_SOME_ROWS = 2000
_MOST = 100_000
"""The last place that a line may have."""

Span = tuple[int, int]
"""The first place of a field and the last one, counted from 1."""


def _place(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= _MOST:
        return value
    found = _RANGE.fullmatch(value.strip()) if isinstance(value, str) else None
    if found and int(found[1]) <= int(found[2]) <= _MOST:
        return f"{found[1]}-{found[2]}"
    raise PydanticCustomError(
        "place",
        "{value} is no place in a line: write how many characters the field has, as 8, or its first and last one, "
        "as 31-38, counted from 1",
        {"value": repr(value)},
    )


Place = Annotated[
    int | str,
    BeforeValidator(_place),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 1, "maximum": _MOST},
                {"type": "string", "pattern": _RANGE.pattern},
            ]
        }
    ),
]
"""How many characters a field has, behind the field before it; or its first and its last one: `31-38`."""


Fields = Annotated[
    dict[Text, Place],
    Field(min_length=1, max_length=10_000, examples=[{"id": 6, "name": 20, "amount": "31-38"}]),
]
"""Where columns stand: each name with its number of characters, or with its first and its last one."""


class FixedWidthSource(TextDialect, TextSource):
    """Text files whose columns stand at fixed places of each line; types are found as for `csv`."""

    type: Literal["fixed_width"]
    fields: Fields
    """The columns in their order, each with its number of characters, or with its first and last one (`31-38`), counted
    from 1. A number alone begins behind the column before it."""

    @rule
    def _fields_apart(self) -> Broken:
        seen: dict[str, str] = {}
        before, last = "", 0
        for name, (first, end) in sorted(self.spans.items(), key=lambda one: one[1]):
            if name.lower() in seen:
                message = "the columns {one} and {other} have the same name to SQL: rename one"
            elif first <= last:
                message = (
                    "{one} and {other} both have character {at_place}: correct their places, or read one field and cut "
                    "it in a transform"
                )
            else:
                message = ""
            if message:
                one = seen.get(name.lower(), before)
                yield PydanticCustomError(
                    "fields",
                    message,
                    {
                        "one": repr(one),
                        "other": repr(name),
                        "at_place": first,
                        "at": ("fields", name),
                    },
                )
            seen[name.lower()] = name
            before, last = name, max(end, last)

    @property
    def spans(self) -> Mapping[str, Span]:
        """The places of each column."""
        found, end = {}, 0
        for name, place in self.fields.items():
            if isinstance(place, int):
                found[name] = (end + 1, end + place)
            else:
                first, _, last = place.partition("-")
                found[name] = (int(first), int(last))
            end = found[name][1]
        return found

    def known_columns(self) -> tuple[str, ...]:
        """See `Source.known_columns`."""
        return tuple(self.fields)

    def written_how(self) -> dict[str, Any]:
        """See `Source.written_how`."""
        return {**super().written_how(), "fields": dict(self.fields)}

    def texts(self, read: FilesToRead) -> Texts:
        """See `TextSource.texts`."""
        from factory.data.sources.text_columns import TextColumns

        check_header("fields", self.fields)
        copies = self.copies(read.files, read.scratch)
        is_copied = copies != list(read.files)
        lines = self._all_lines(replace(read, files=copies), is_copied=is_copied)
        query = self._cut(lines)
        some = f"from ({query}) limit {_SOME_ROWS}"
        columns = TextColumns(read.connection, query, some, self.writing)
        doubts = self._left_out(read, lines)
        return Texts(
            tuple(self.fields), columns, partial(self._place_of, read.files), doubts=doubts
        )

    def _all_lines(self, read: FilesToRead, *, is_copied: bool) -> str:
        from factory.lake.engine import literal

        packing: dict[str, Any] = {} if self.compression == "auto" and not is_copied else {
            "compression": "none" if is_copied else self.compression
        }  # fmt: skip
        query = read.by(
            "read_csv",
            auto_detect=False,
            columns={"line": "VARCHAR"},
            header=False,
            delim=_NEVER,
            quote="",
            escape="",
            comment="",
            skip=0 if self.skips_beside_comments else self.skip,
            **packing,
        )
        others = f" and not starts_with(line, {literal(self.comment)})" if self.comment else ""
        return f"select line from ({query}) where trim(line) != ''{others}"  # noqa: S608

    def _cut(self, lines: str) -> str:
        """The SQL that cuts lines into columns, without the blanks around each value."""
        from factory.lake.engine import literal, quote

        nulls = ", ".join(map(literal, dict.fromkeys(["", *self.null_values])))
        fields = ", ".join(
            f"case when trim(substr(line, {first}, {last - first + 1})) not in ({nulls}) "
            f"then trim(substr(line, {first}, {last - first + 1})) end as {quote(name)}"
            for name, (first, last) in self.spans.items()
        )
        return f"select {fields} from ({lines})"  # noqa: S608

    def _gaps(self) -> Iterator[Span]:
        """The places that no column has; the last one ends where lines may end."""
        end = 0
        for first, last in sorted(self.spans.values()):
            if first > end + 1:
                yield end + 1, first - 1
            end = max(end, last)
        yield end + 1, _MOST

    def _left_out(self, read: FilesToRead, lines: str) -> Sequence[str]:
        """What stands at places that no column has, in words."""
        told = []
        gaps = list(self._gaps())
        measures = ", ".join(
            f"count(*) filter (where trim(substr(line, {first}, {last - first + 1})) != ''), "
            f"first(trim(substr(line, {first}, {last - first + 1}))) "
            f"filter (where trim(substr(line, {first}, {last - first + 1})) != '')"
            for first, last in gaps
        )
        [row] = read.connection.sql(f"select {measures} from ({lines})").fetchall()  # noqa: S608
        values = iter(row)
        for (first, last), count, example in zip(gaps, values, values, strict=True):
            if count:
                where = (
                    f"characters {first} to {last}"
                    if last < _MOST
                    else f"what is behind character {first - 1}"
                )
                told.append(
                    f"{where} of {count:,} {'line' if count == 1 else 'lines'} is in no column, such as {example[:40]!r}: "
                    "correct the places in `fields`, or name a column that has it"
                )
        return told

    def _place_of(self, files: Sequence[Path], column: str, value: str) -> str:
        first, last = self.spans[column]
        for file in files:
            lines = enumerate(self.lines(file, errors="replace"), 1)
            for number, line in itertools.islice(lines, self.skip, None):
                is_read = not (self.comment and line.startswith(self.comment))
                if is_read and line.rstrip("\r\n")[first - 1 : last].strip() == value:
                    return f"{file.name}, line {number}: "
        return ""
