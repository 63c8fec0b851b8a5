"""What a table contains, as one hash that does not depend on the order of its rows."""

from collections.abc import Mapping
from dataclasses import dataclass

from duckdb import DuckDBPyRelation

from factory.base.digests import sha256_of_json
from factory.lake.engine import columns_of, quote


@dataclass(frozen=True)
class Fingerprint:
    """The number of rows, and sums of the halves of each row's MD5.

    Sums can be added and taken away, so that a table's fingerprint after an append or a merge
    follows without reading the rows that stay. MD5 guards against accidents, not against forgery.
    """

    rows: int = 0
    lower: int = 0
    upper: int = 0

    def __add__(self, other: "Fingerprint") -> "Fingerprint":
        return Fingerprint(
            self.rows + other.rows, self.lower + other.lower, self.upper + other.upper
        )

    def __sub__(self, other: "Fingerprint") -> "Fingerprint":
        return Fingerprint(
            self.rows - other.rows, self.lower - other.lower, self.upper - other.upper
        )

    def content_hash(self, columns: Mapping[str, str]) -> str:
        """The SHA-256 of these rows under this schema, in hexadecimal digits."""
        return sha256_of_json([schema_hash(columns), self.rows, str(self.lower), str(self.upper)])


def fingerprint(relation: DuckDBPyRelation) -> Fingerprint:
    """The fingerprint of a DuckDB relation, in one pass."""
    text = " || ".join(_tagged(name, kind) for name, kind in columns_of(relation).items())
    lower, upper = "(m & 18446744073709551615)::hugeint", "(m >> 64)::hugeint"
    [(rows, low, high)] = (
        relation.project(f"md5_number({text}) as m")
        .aggregate(f"count(*), coalesce(sum({lower}), 0), coalesce(sum({upper}), 0)")
        .fetchall()
    )
    return Fingerprint(rows, int(low), int(high))


def schema_hash(columns: Mapping[str, str]) -> str:
    """The SHA-256 of column names and types, in their order, in hexadecimal digits."""
    return sha256_of_json(list(columns.items()))


def _tagged(name: str, kind: str) -> str:
    # The length in front keeps ('ab', 'c') and ('a', 'bc') apart, `~` null and the empty string.
    text = quote(name) if kind == "VARCHAR" else f"{quote(name)}::varchar"
    return f"coalesce(length({text}) || ':' || {text}, '~')"
