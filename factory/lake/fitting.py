"""Whether new rows fit published ones, and how their types are widened so that they do."""

import re
from collections.abc import Mapping

from duckdb import DuckDBPyRelation

from factory.lake.engine import columns_of, quote
from factory.lake.snapshot import SchemaMismatchError

_DECIMAL = re.compile(r"DECIMAL\((\d+),(\d+)\)")
_DIGITS = {"TINYINT": 3, "SMALLINT": 5, "INTEGER": 10, "BIGINT": 19}


def fit(rows: DuckDBPyRelation, columns: Mapping[str, str], dataset: str) -> DuckDBPyRelation:
    """New rows in the columns and types of published ones.

    Columns must be the same, in any order: a new one would leave nobody knowing what it was for
    the rows that are published. Types may be narrower (whole numbers where decimals are published),
    and a column without any value fits every type.

    Args:
        rows: A DuckDB relation.
        columns: The published columns and their types.
        dataset: Its name, for the error.

    Returns:
        A DuckDB relation with exactly `columns`.

    Raises:
        SchemaMismatchError: when they do not fit; names every column that does not.
    """
    found = columns_of(rows)
    if list(found.items()) == list(columns.items()):
        return rows
    complaints = [f"{name} is missing" for name in columns if name not in found]
    complaints += [f"{name} is new" for name in found if name not in columns]
    complaints += [
        f"{name} is {found[name]}, published as {kind}"
        for name, kind in columns.items()
        if name in found and not widens(found[name], kind) and _has_values(rows, name)
    ]
    if complaints:
        raise SchemaMismatchError(
            f"{dataset}: the new rows do not fit the published ones: {'; '.join(complaints)}. "
            "Bring them into the published form in a transform (such as `cast(x as double)`), or "
            "publish once with `write: {mode: replace}` to change the form"
        )
    return rows.project(
        ", ".join(
            f"cast({quote(name)} as {kind}) as {quote(name)}" for name, kind in columns.items()
        )
    )


def widens(found: str, published: str) -> bool:
    """Whether every value of one type has its place in the other."""
    if found == published:
        return True
    before, after = _digits(found), _digits(published)
    if before and after:
        return before[0] <= after[0] and before[1] <= after[1]
    if published == "DOUBLE":
        return before is not None or found == "FLOAT"
    return (found, published) == ("DATE", "TIMESTAMP")


def _digits(kind: str) -> tuple[int, int] | None:
    """How many digits a number has before and after its point; None for floats and others."""
    if kind in _DIGITS:
        return _DIGITS[kind], 0
    decimal = _DECIMAL.fullmatch(kind)
    return (int(decimal[1]) - int(decimal[2]), int(decimal[2])) if decimal else None


def _has_values(rows: DuckDBPyRelation, name: str) -> bool:
    [(values,)] = rows.aggregate(f"count({quote(name)})").fetchall()
    return bool(values)
