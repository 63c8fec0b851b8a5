"""Millions of rows from CSV to snapshot in bounded memory, measured in a process of their own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from factory.lake import publishing
from factory.lake.write import Write
from tests.data.rows import lake_in, rows_of
from tests.harness.memory import REPOSITORY

SIZES = [(2, 1024), (10, 2048)]
"""Millions of rows, and the memory that they may take."""

PRODUCE = """
import json, sys, time
from pathlib import Path

from tests.harness.memory import peak_kilobytes

from pydantic import TypeAdapter

from factory.data.checks.check import AnyCheck
from factory.lake.write import Write
from factory.data.folders import DataFolders
from factory.data.sources.csv import CsvSource
from factory.data.sources.source import IngestContext
from factory.data.transforms.sql import SqlTransform
from factory.lake.table import Lake
from factory.data.checks.run import check
from factory.data.publish import publish
from factory.data.transforms.run import transform

project = Path(sys.argv[1])
lake = Lake((project / "lake").as_uri())
write = Write()
checks = TypeAdapter(list[AnyCheck]).validate_python([
    {"check": "not_null", "columns": ["id", "species"]},
    {"check": "unique", "columns": ["id"]},
    {"check": "accepted_values", "column": "species", "values": ["Adelie", "Chinstrap", "Gentoo"]},
    {"check": "between", "column": "mass", "min": 0, "max": 1},
    {"check": "matches", "column": "code", "pattern": "^[0-9a-f]{32}$"},
    {"check": "row_count", "min": 1000},
])
seconds = {}

def timed(name, step):
    start = time.monotonic()
    result = step()
    seconds[name] = round(time.monotonic() - start, 1)
    return result

source = CsvSource(type="csv", path="all.csv")
rows = timed("ingest", lambda: source.ingest(IngestContext(DataFolders(project, (".",)), project, "a", lake)))
query = "select * exclude (a, b), a + b as total from source where mass is not null"
rows = timed("transform", lambda: transform(
    [SqlTransform(type="sql", query=query)], rows, workspace=project, lake=lake, versions={}, team="a"))
report = timed("check", lambda: check(
    checks, rows, columns=None, write=write, lake=lake, dataset="a.b"))
published = timed("publish", lambda: publish(
    "a.b", rows, write, lake=lake, run_id="run", report=report))
print(json.dumps({
    "rows": published.snapshot.rows,
    "peak_mb": peak_kilobytes() / 1024,
    "seconds": seconds,
}))
"""


MERGE = """
import json, sys, time
from pathlib import Path

from tests.harness.memory import peak_kilobytes

from factory.lake import publishing
from factory.lake.write import Write
from factory.lake.table import Lake

start = time.monotonic()
published = publishing.publish(Lake(sys.argv[2]),
    "a.b", Path(sys.argv[1]) / "new.parquet", Write(mode="merge", keys=("id",)), run_id="merge")
print(json.dumps({
    "rows": published.snapshot.rows,
    "peak_mb": peak_kilobytes() / 1024,
    "seconds": {"publish": round(time.monotonic() - start, 1)},
}))
"""


@pytest.mark.nightly
@pytest.mark.parametrize(("millions", "megabytes"), SIZES)
def test_rows_pass_within_bounded_memory(tmp_path, capsys, millions, megabytes):
    rows = millions * 1_000_000
    duckdb.sql(f"copy ({_rows(0, rows)}) to '{tmp_path}/all.csv'")
    figures = _run(PRODUCE, tmp_path, capsys)
    assert figures["rows"] == rows
    assert figures["peak_mb"] < megabytes


@pytest.mark.nightly
@pytest.mark.parametrize(("millions", "megabytes"), SIZES)
def test_rows_merge_within_bounded_memory(tmp_path, capsys, millions, megabytes):
    rows = millions * 1_000_000
    lake = lake_in(tmp_path)
    old = rows_of(_rows(0, rows), tmp_path, "old")
    publishing.publish(lake, "a.b", old.file, Write(), run_id="first")
    rows_of(_rows(rows // 10, rows + rows // 10), tmp_path, "new")

    figures = _run(MERGE, tmp_path, capsys, lake.storage)

    assert figures["rows"] == rows + rows // 10
    assert figures["peak_mb"] < megabytes


def _rows(start: int, stop: int) -> str:
    return (
        "select i as id, ['Adelie', 'Chinstrap', 'Gentoo'][1 + i % 3] as species, "
        "random() as mass, random() as a, random() as b, md5(i::varchar) as code, "
        "timestamp '2024-01-01' + interval (i) second as seen, i % 1000 as station "
        f"from range({start}, {stop}) t(i)"
    )


def _run(code: str, project: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> dict:
    done = subprocess.run(
        [sys.executable, "-c", code, str(project), *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert done.returncode == 0, done.stderr
    figures: dict = json.loads(done.stdout)
    with capsys.disabled():
        print(f"\n{figures}")
    return figures
