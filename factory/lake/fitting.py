"""Whether new rows fit published ones, and how their types are widened so that they do."""

from collections.abc import Mapping

from duckdb import DuckDBPyRelation

from factory.base.wider_types import is_wider_number, widens
from factory.lake.engine import columns_of, quote
from factory.lake.snapshot import MergeKeyError, SchemaMismatchError
from factory.lake.write import Evolve


def evolved(
    rows: DuckDBPyRelation, published: Mapping[str, str], how: Evolve, dataset: str
) -> dict[str, str]:
    """The columns of a snapshot that new rows make upon a published one.

    Columns may come in any order. Types may be narrower (whole numbers where decimals are published), and a column
    without any value fits every type.

    Args:
        rows: The new rows.
        published: The published columns and their types.
        how: What else may differ.
        dataset: Its name, for the error.

    Raises:
        SchemaMismatchError: when they do not fit; names every column that does not, with both types.
    """
    found = columns_of(rows)
    columns: dict[str, str] = {}
    complaints, lets = [], set()
    for name, kind in published.items():
        columns[name] = kind
        if name not in found:
            complaints.append(f"{name} is missing, published as {kind}")
        elif widens(found[name], kind) or not _has_values(rows, name):
            continue
        elif is_wider_number(found[name], kind) and how == "widen":
            columns[name] = found[name]
        else:
            complaints.append(f"{name} is {found[name]}, published as {kind}")
            lets |= {"widen"} if is_wider_number(found[name], kind) else {""}
    for name in (name for name in found if name not in published):
        columns[name] = found[name]
        if how == "none":
            complaints.append(f"{name} is new, as {found[name]}")
            lets.add("add")
    if complaints:
        raise SchemaMismatchError(
            f"{dataset}: the new rows do not fit the published ones: {'; '.join(complaints)}."
            f"{_what_lets_them(complaints, lets)}"
        )
    return columns


def _what_lets_them(complaints: list[str], lets: set[str]) -> str:
    if not lets or "" in lets or any("is missing" in complaint for complaint in complaints):
        return ""
    return (
        f" `write: {{evolve: {'widen' if 'widen' in lets else 'add'}}}` lets such changes through."
    )


def fit(rows: DuckDBPyRelation, columns: Mapping[str, str]) -> DuckDBPyRelation:
    """Rows in other columns and types, which have been found to fit.

    Args:
        rows: A DuckDB relation.
        columns: As `evolved` gives them; one that the rows lack is null.

    Returns:
        A DuckDB relation with exactly `columns`.
    """
    found = columns_of(rows)
    if list(found.items()) == list(columns.items()):
        return rows
    return rows.project(
        ", ".join(
            f"cast({quote(name) if name in found else 'null'} as {kind}) as {quote(name)}"
            for name, kind in columns.items()
        )
    )


def _has_values(rows: DuckDBPyRelation, name: str) -> bool:
    [(values,)] = rows.aggregate(f"count({quote(name)})").fetchall()
    return bool(values)


def check_keys(rows: DuckDBPyRelation, keys: tuple[str, ...], dataset: str) -> None:
    """Check that a merge's keys identify the new rows.

    Raises:
        MergeKeyError: when a key is missing, null or repeated; says how many rows are concerned.
    """
    missing = [key for key in keys if key not in rows.columns]
    if missing:
        raise MergeKeyError(
            f"{dataset}: the merge keys {', '.join(missing)} are not among the new rows' columns "
            f"({', '.join(rows.columns)}): correct `write.keys`, or let the transforms keep them"
        )
    names = ", ".join(quote(key) for key in keys)
    is_null = " or ".join(f"{quote(key)} is null" for key in keys)
    [(nulls,)] = rows.filter(is_null).aggregate("count(*)").fetchall()
    [(repeated, groups)] = (
        rows.filter(f"not ({is_null})")
        .aggregate("count(*) as n", names)
        .filter("n > 1")
        .aggregate("coalesce(sum(n), 0)::bigint, count(*)")
        .fetchall()
    )
    if nulls or repeated:
        raise MergeKeyError(
            f"{dataset}: the merge keys {', '.join(keys)} must identify every new row, but they "
            f"are null in {nulls:,} rows, and {repeated:,} rows share {groups:,} keys. Drop or "
            "combine such rows in a transform, or name further columns in `write.keys`"
        )
