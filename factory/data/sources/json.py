"""`source: {type: json}`."""

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from factory.base.errors import TerminalError
from factory.base.section import ListOf
from factory.data.sources.files import FileSource, FilesToRead
from factory.data.sources.text_dialect import TextValues

if TYPE_CHECKING:
    from factory.data.sources.text_columns import TextColumns
    from factory.data.sources.text_forms import Writing

log = logging.getLogger(__name__)

_TIMES = ("DATE", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE")
_ALL_ROWS = {"sample_size": -1, "maximum_sample_files": 2**31 - 1}
"""What DuckDB has not seen before it decides on types it rounds, or leaves out."""
_DATES = {"dateformat": "%Y-%m-%d"}
"""Left to itself DuckDB takes `01-02-2024` for the first of several dates."""
_SOME_ROWS = 2000
_AT_ONCE = 8
"""DuckDB takes 32 MB and more for each file of a query, however small it is."""


class JsonSource(TextValues, FileSource):
    """JSON files: an array of objects, or one object a line.

    A text stays text, `"1.5"` too, unless `columns` or a format of dates says what it is, or there are numbers beside it.
    """

    reads_texts: ClassVar[bool] = True

    type: Literal["json"]
    null_values: ListOf[str] = Field(default=(), examples=[["", "NA"]])
    """The texts that stand for no value, as `null` does."""

    def query(self, read: FilesToRead) -> str:
        """The SQL that reads the files, with the declared types, and those that texts among numbers have."""
        from factory.base.wider_types import widens
        from factory.lake.engine import canonical_type, columns_of, quote

        original, read = read, _merged(read)
        options = {"union_by_name": True, **_ALL_ROWS, **_DATES, **read.compression}
        query = read.by("read_json", **options)
        found = columns_of(read.connection.sql(query))
        _check_names(read, list(found))
        types = {
            name: canonical_type(kind) for name, kind in read.types.columns.items() if name in found
        }
        if read.types.pinned_by:
            # JSON's values have types: those that do not fit are not cast, but told before they are published.
            types = {name: kind for name, kind in types.items() if widens(found[name], kind)}
        texts = {name: "VARCHAR" for name, kind in found.items() if kind in _TIMES}
        if texts:
            as_texts = read.by("read_json", columns={**found, **texts}, **read.compression)
            kept = [name for name in texts if name in types] + _not_iso(read, as_texts, list(texts))
            if kept:
                found |= dict.fromkeys(kept, "VARCHAR")
                query = read.by("read_json", columns=found, **read.compression)
        query = self._without_nulls(query, found)
        expressions = {
            # Else texts among other values would have their quotes around them.
            **{name: f"{quote(name)} ->> '$'" for name, kind in found.items() if kind == "JSON"},
            **self._undeclared(
                read, query, {name: kind for name, kind in found.items() if name not in types}
            ),
            **_read_declared(original, query, found, types, self.writing),
        }
        if not expressions:
            return query
        typed = ", ".join(f"{sql} as {quote(name)}" for name, sql in expressions.items())
        return f"select * replace ({typed}) from ({query})"  # noqa: S608

    def _without_nulls(self, query: str, found: Mapping[str, str]) -> str:
        """The rows, with null in place of the texts that stand for no value."""
        from factory.lake.engine import literal, quote

        if not self.null_values:
            return query
        nothing = ", ".join(map(literal, self.null_values))
        replaced = ", ".join(
            f"case when {_text(name, kind)} in ({nothing}) then null else {quote(name)} end as {quote(name)}"
            for name, kind in found.items()
            if kind in ("VARCHAR", "JSON")
        )
        return f"select * replace ({replaced}) from ({query})" if replaced else query  # noqa: S608

    def _undeclared(
        self, read: FilesToRead, query: str, found: Mapping[str, str]
    ) -> dict[str, str]:
        """The SQL of columns that hold texts beside other values, and of dates in a format that is said.

        Raises:
            DoubtfulColumnError: Such a column is numbers or dates but for a few values, and `on_doubt` is `halt`.
        """
        from factory.lake.engine import columns_of, quote

        mixed = [name for name, kind in found.items() if kind == "JSON"]
        texts = [name for name, kind in found.items() if kind == "VARCHAR" and self.writing.said]
        looked = {name: found[name] for name in (*mixed, *texts)}
        if not looked:
            return {}
        columns = _texts(read, query, looked, self.writing)
        readings = columns.readings(list(looked))
        listed = ", ".join(f"{one.expression} as {quote(name)}" for name, one in readings.items())
        kinds = columns_of(read.connection.sql(f"select {listed} from ({columns.query})"))  # noqa: S608
        taken = {
            name: one
            for name, one in readings.items()
            if name in mixed or kinds[name] in _TIMES or (one.doubt and one.doubt.is_about_dates)
        }
        self.tell([str(one.doubt) for one in taken.values() if one.doubt])
        return {
            name: one.expression.replace(quote(name), f"({_text(name, found[name])})")
            for name, one in taken.items()
            if kinds[name] != "VARCHAR"
        }


def _text(name: str, kind: str) -> str:
    """The SQL of a column's text."""
    from factory.lake.engine import quote

    return f"{quote(name)} ->> '$'" if kind == "JSON" else quote(name)


def _texts(
    read: FilesToRead, query: str, found: Mapping[str, str], writing: "Writing"
) -> "TextColumns":
    """Columns as texts that are looked at."""
    from factory.data.sources.text_columns import TextColumns
    from factory.lake.engine import quote

    listed = ", ".join(f"{_text(name, kind)} as {quote(name)}" for name, kind in found.items())
    all_texts = f"select {listed} from ({query})"  # noqa: S608
    some = f"from ({all_texts}) limit {_SOME_ROWS}"
    return TextColumns(read.connection, all_texts, some, writing)


def _merged(read: FilesToRead) -> FilesToRead:
    """Many files as one, with one object a line."""
    import duckdb

    if len(read.files) <= _AT_ONCE:
        return read
    merged = read.scratch / "merged.jsonl"
    query = read.by("read_json_objects", **read.compression).replace("select *", "select json", 1)
    objects = read.connection.sql(f"select json(json) from ({query})")  # noqa: S608
    try:
        with merged.open("w", encoding="utf-8") as written:
            for batch in objects.to_arrow_reader(10_000):
                written.writelines(f"{one}\n" for one in batch.column(0).to_pylist())
    except OSError as error:
        # Arrow has no other type for what DuckDB cannot read.
        raise duckdb.Error(str(error)) from error
    return replace(read, files=[merged])


def _not_iso(read: FilesToRead, query: str, names: Sequence[str]) -> list[str]:
    """The columns of which DuckDB would make dates, though some do not begin with a year of four digits; told in the log."""
    from factory.lake.engine import quote

    tests = ", ".join(
        f"min({quote(name)}) filter (where not regexp_matches({quote(name)}, '^[0-9]{{4}}-'))"
        for name in names
    )
    [row] = read.connection.sql(f"select {tests} from ({query})").fetchall()  # noqa: S608
    found = {name: value for name, value in zip(names, row, strict=True) if value is not None}
    for name, value in found.items():
        log.warning(
            "%r stays text: %r may be read as several dates. Say how they are written, such as "
            "`date_format: '%%y-%%m-%%d'`, or write 2024-01-31 where the file is made", name, value,
        )  # fmt: skip
    return list(found)


def _read_declared(
    read: FilesToRead,
    query: str,
    found: Mapping[str, str],
    types: Mapping[str, str],
    writing: "Writing",
) -> dict[str, str]:
    """The SQL of columns in the types that are declared, of which no value loses anything.

    Raises:
        UndeclaredValuesError: A value is not of its column's type; names its file and object.
    """
    from factory.data.sources.declared_columns import (
        cast_strictly,
        read_declared,
        refuse_values,
    )
    from factory.lake.engine import quote

    others = {
        name: kind for name, kind in types.items() if found[name] not in ("VARCHAR", "JSON", kind)
    }
    tests = {name: _loses(quote(name), found[name], kind) for name, kind in others.items()}
    said, place = read.types.said, partial(_place, read, found)
    refuse_values(read.connection, query, others, tests, said, place)
    texts = {name: kind for name, kind in types.items() if found[name] in ("VARCHAR", "JSON")}
    cast = {name: f"cast({quote(name)} as {kind})" for name, kind in others.items()}
    if not texts:
        return cast
    columns = _texts(read, query, {name: found[name] for name in texts}, writing)
    declared = read_declared(columns, texts, said, place)
    rest = {name: kind for name, kind in texts.items() if name not in declared.expressions}
    strictly = cast_strictly(columns, rest, declared.broken, said, place)
    expressions = {**declared.expressions, **strictly}
    # `x` is JSON in the query, and text in what was looked at.
    return cast | {
        name: sql.replace(quote(name), f"({_text(name, found[name])})")
        for name, sql in expressions.items()
    }


def _loses(column: str, found: str, kind: str) -> str:
    """The condition of a value that is another one, or none, in another type."""
    cast = f"try_cast({column} as {kind})"
    # Of points in time only the zone may go, and of fractions the digits that the type has not.
    if kind in ("VARCHAR", "FLOAT"):
        return f"{cast} is null"
    return f"({cast} is null or cast({cast} as {found}) is distinct from {column})"


def _place(read: FilesToRead, found: Mapping[str, str], column: str, value: Any) -> str:
    """The first object that has a value, in words: `a.json, object 3: `."""
    from factory.lake.engine import literal, quote

    for file in read.files:
        one = replace(read, files=[file]).by("read_json", columns=dict(found), **read.compression)
        text = (
            f"{quote(column)} ->> '$'" if found[column] == "JSON" else f"{quote(column)}::varchar"
        )
        numbered = f"select row_number() over () as n, {text} as value from ({one})"  # noqa: S608
        rows = read.connection.sql(
            f"select min(n) from ({numbered}) where value = {literal(str(value))}"  # noqa: S608
        ).fetchall()
        if rows != [(None,)]:
            return f"{file.name}, object {rows[0][0]}: "
    return ""


def _check_names(read: FilesToRead, columns: Sequence[str]) -> None:
    """Check that no key differs from another one by upper and lower case only; DuckDB adds a number to its name.

    Raises:
        TerminalError: Two keys are the same to SQL; names both.
    """
    names = {name.lower() for name in columns}
    if not any(re.sub(r"_[0-9]+$", "", name) in names - {name} for name in names):
        return
    query = read.by("read_json_objects", **read.compression).replace("select *", "select json", 1)
    keys = read.connection.sql(f"select distinct unnest(json_keys(json)) from ({query})")  # noqa: S608
    seen: dict[str, str] = {}
    for (key,) in sorted(keys.fetchall()):
        if key.lower() in seen:
            raise TerminalError(
                f"objects have the keys {seen[key.lower()]!r} and {key!r}, which are the same to SQL: rename one where "
                "the file is made"
            )
        seen[key.lower()] = key
