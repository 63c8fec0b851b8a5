"""Rows for tests: what a query gives, as steps hand it to each other."""

from pathlib import Path
from typing import Any

import duckdb

from factory import storage
from factory.lake import Lake, engine
from factory.steps.sql import Rows, write_rows


def rows_of(query: str, folder: Path, name: str = "rows") -> Rows:
    with engine.connect(folder) as connection:
        return write_rows(connection.sql(query), folder / f"{name}.parquet")


def lake_in(folder: Path) -> Lake:
    return Lake(storage.resolve("lake", folder))


def read(rows: Rows) -> list[tuple[Any, ...]]:
    return duckdb.sql(f"select * from '{rows.file}'").fetchall()


def read_snapshot(lake: Lake, dataset: str, version: int) -> list[tuple[Any, ...]]:
    table = lake.scan(dataset, version).to_table()
    return sorted(zip(*table.to_pydict().values(), strict=True), key=repr)
