"""Rows that came out beside those that were expected: which are missing, unexpected or changed."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from factory.base.errors import TerminalError

if TYPE_CHECKING:
    from duckdb import DuckDBPyRelation

    from factory.data.rows import Rows

Row = tuple[str | None, ...]

_PAIRED = 2_000
"""Rows that differ of which each is compared with each."""


class UnreadableExpectationError(TerminalError):
    """A file with expected rows that is no CSV file."""


@dataclass(frozen=True)
class TextTable:
    """Rows as texts; null is None."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]

    def only(self, columns: Sequence[str]) -> "TextTable":
        """The same with some of its columns, in this order."""
        at = [self.columns.index(name) for name in columns]
        return TextTable(tuple(columns), tuple(tuple(row[i] for i in at) for row in self.rows))


@dataclass(frozen=True)
class RowDifference:
    """A row that differs."""

    kind: Literal["missing", "unexpected", "changed"]
    row: Mapping[str, str | None]
    """As expected; an unexpected one as it came out."""
    cells: Mapping[str, str | None]
    """Of a changed row: what came out, for each column that differs."""


@dataclass(frozen=True)
class Comparison:
    """All that differs."""

    missing_columns: tuple[str, ...]
    unexpected_columns: tuple[str, ...]
    rows: tuple[RowDifference, ...]

    @property
    def is_equal(self) -> bool:
        """Whether nothing differs."""
        return not (self.missing_columns or self.unexpected_columns or self.rows)


def text_table(rows: "Rows") -> TextTable:
    """Rows that were made, as texts."""
    from factory.lake import engine

    with engine.connect(rows.file.parent) as connection:
        engine.create_view(connection, "made", [rows.file])
        return _fetched(_as_texts(connection.table("made")))


def write_expected(rows: "Rows", file: Path) -> None:
    """Write rows as expected ones; what differs from what lies there can be read in git."""
    from factory.base.files import whole_file
    from factory.lake import engine

    with engine.connect(rows.file.parent) as connection, whole_file(file) as unfinished:
        engine.create_view(connection, "made", [rows.file])
        _as_texts(connection.table("made")).write_csv(str(unfinished), header=True)


def read_expected(file: Path, scratch: Path) -> TextTable:
    """The expected rows: an empty value is null, an empty text is `""`.

    Raises:
        UnreadableExpectationError: It is no CSV file with a header.
    """
    import duckdb

    from factory.lake import engine
    from factory.lake.engine import literal

    query = (
        f"select * from read_csv({literal(str(file))}, header = true, all_varchar = true, delim = ',', "  # noqa: S608
        "quote = '\"', escape = '\"', nullstr = '', allow_quoted_nulls = false)"
    )
    try:
        with engine.connect(scratch) as connection:
            return _fetched(connection.sql(query))
    except duckdb.Error as error:
        first = str(error).strip().partition("\n")[0]
        raise UnreadableExpectationError(
            f"{file}: {first}. Correct it, or let `factory test --update` write it anew"
        ) from error


def compare(expected: TextTable, found: TextTable, keys: Sequence[str] = ()) -> Comparison:
    """What differs; the order of rows and columns does not matter.

    Args:
        expected: What should come out.
        found: What came out.
        keys: Columns that tell rows apart, by which those that differ are told to be the same; without them rows
            with at least half of their values in common are.
    """
    common = [name for name in expected.columns if name in found.columns]
    wanted, came = expected.only(common), found.only(common)
    missing, unexpected = _left(wanted.rows, came.rows), _left(came.rows, wanted.rows)
    at = [common.index(name) for name in keys if name in common]
    pairs = _pairs(missing, unexpected, at if len(at) == len(keys) else [])
    changed = [
        RowDifference(
            "changed",
            dict(zip(common, one, strict=True)),
            {name: b for name, a, b in zip(common, one, other, strict=True) if not _same(a, b)},
        )
        for one, other in pairs
    ]
    paired_missing, paired_found = Counter(a for a, _ in pairs), Counter(b for _, b in pairs)
    differences = [
        *(RowDifference("missing", dict(zip(common, row, strict=True)), {}) for row in _without(missing, paired_missing)),
        *(RowDifference("unexpected", dict(zip(common, row, strict=True)), {}) for row in _without(unexpected, paired_found)),
        *(one for one in changed if one.cells),
    ]  # fmt: skip
    return Comparison(
        tuple(name for name in expected.columns if name not in common),
        tuple(name for name in found.columns if name not in common),
        tuple(differences),
    )


def _as_texts(rows: "DuckDBPyRelation") -> "DuckDBPyRelation":
    from factory.lake.engine import quote

    return rows.project(
        ", ".join(f"cast({quote(name)} as varchar) as {quote(name)}" for name in rows.columns)
    )


def _fetched(rows: "DuckDBPyRelation") -> TextTable:
    return TextTable(tuple(rows.columns), tuple(rows.fetchall()))


def _left(rows: Sequence[Row], others: Sequence[Row]) -> list[Row]:
    """The rows without those that the others have too, each as often as it comes."""
    return _without(rows, Counter(others))


def _without(rows: Sequence[Row], others: Counter[Row]) -> list[Row]:
    rest = Counter(others)
    left = []
    for row in rows:
        if rest[row]:
            rest[row] -= 1
        else:
            left.append(row)
    return left


def _pairs(
    missing: Sequence[Row], unexpected: Sequence[Row], keys: Sequence[int]
) -> list[tuple[Row, Row]]:
    """The rows of both sides that are one row with other values."""
    if keys:
        by_key = {tuple(row[i] for i in keys): row for row in unexpected}
        found = ((row, by_key.get(tuple(row[i] for i in keys))) for row in missing)
        return [(row, other) for row, other in found if other is not None]
    if len(missing) * len(unexpected) > _PAIRED**2:
        return []
    alike = sorted(
        (-sum(map(_same, row, other)), i, j)
        for i, row in enumerate(missing)
        for j, other in enumerate(unexpected)
    )
    pairs, used, taken = [], set(), set()
    for likeness, i, j in alike:
        if -2 * likeness >= len(missing[i]) and i not in used and j not in taken:
            used.add(i)
            taken.add(j)
            pairs.append((missing[i], unexpected[j]))
    return pairs


def _same(one: str | None, other: str | None) -> bool:
    """Whether two values are the same; sums of floating point numbers differ in their last digits."""
    if one == other or one is None or other is None:
        return one == other
    try:
        return math.isclose(float(one), float(other), rel_tol=1e-9) and "." in one + other
    except ValueError:
        return False
