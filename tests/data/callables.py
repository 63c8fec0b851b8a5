"""Functions that team files in tests name by dotted path."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pyarrow as pa


def frame(rows: int = 2) -> pd.DataFrame:
    return pd.DataFrame({"id": range(rows), "name": "x"}, index=[f"row {n}" for n in range(rows)])


def bunch() -> SimpleNamespace:
    return SimpleNamespace(frame=frame(), target=[1, 2])


def table() -> pa.Table:
    return pa.table({"id": pa.array([1, 2], pa.uint32()), "kind": pa.array(["a", None])})


def growing() -> Iterator[pd.DataFrame | pa.Table]:
    yield pd.DataFrame({"id": [1], "value": [None]})
    yield pd.DataFrame({"id": [2], "value": [3]})
    yield pa.table({"value": [1.5], "id": [3]})


def mixed() -> pd.DataFrame:
    return pd.DataFrame({"id": [1, 2], "when": ["yesterday", 3]})


def several_kinds() -> Iterator[pd.DataFrame]:
    yield pd.DataFrame({"when": [1]})
    yield pd.DataFrame({"when": ["yesterday"]})


def other_columns() -> Iterator[pd.DataFrame]:
    yield pd.DataFrame({"id": [1]})
    yield pd.DataFrame({"key": [1]})


def nothing() -> list[pd.DataFrame]:
    return []


def dicts() -> list[dict[str, Any]]:
    return [{"id": 1}]


def number() -> int:
    return 3


def broken() -> pd.DataFrame:
    raise KeyError("body_mass_g")


def twice(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    return rows.assign(**{column: rows[column] * 2})


def count(rows: pd.DataFrame) -> int:
    return len(rows)


def lose_a_column(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(total=rows["no such column"])
