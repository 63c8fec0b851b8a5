"""Rows for tests: what a query gives, as steps hand it to each other."""

import os
from pathlib import Path
from typing import Any

import duckdb

from factory.data.rows import Rows, write_rows
from factory.lake import engine
from factory.lake.storage import address as storage
from factory.lake.table import Lake
from tests.harness.s3 import BUCKET, STORAGE


def rows_of(query: str, folder: Path, name: str = "rows") -> Rows:
    with engine.connect(folder) as connection:
        return write_rows(connection.sql(query), folder / f"{name}.parquet")


def lake_in(folder: Path) -> Lake:
    """A lake in the folder; under its name in an object store, for tests that use `each_storage`."""
    if os.environ.get(STORAGE) == "s3":
        return Lake(f"s3://{BUCKET}/{folder.name}")
    if "://" in os.environ.get(STORAGE, ""):
        return Lake(f"{os.environ[STORAGE]}/{folder.name}")
    return Lake(storage.resolve("lake", folder))


def read(rows: Rows) -> list[tuple[Any, ...]]:
    return duckdb.sql(f"select * from '{rows.file}'").fetchall()


def read_snapshot(lake: Lake, dataset: str, version: int) -> list[tuple[Any, ...]]:
    table = lake.scan(dataset, version).to_table()
    return sorted(zip(*table.to_pydict().values(), strict=True), key=repr)
