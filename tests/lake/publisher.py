"""Publishing what queries give, for tests of the lake."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

from factory.lake import engine, publishing
from factory.lake.fingerprint import fingerprint
from factory.lake.publishing import Publication
from factory.lake.snapshot import Snapshot
from factory.lake.table import Lake
from factory.lake.write import Write
from tests.data.rows import lake_in, read_snapshot, rows_of

REPLACE = Write()
APPEND = Write(mode="append")
MERGE = Write(mode="merge", keys=("id",))

DATASET = "marine.penguins"

TWO_ROWS = "select * from (values (1::bigint, 'a'), (2, 'b')) as t(id, name)"


class Publisher:
    """Publishes what queries give, each time as a run of its own unless told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lake = lake_in(folder)
        self.runs = 0

    def __call__(self, query: str, write: Write = REPLACE, **how: object) -> Publication:
        self.runs += 1
        run_id = how.pop("run_id", f"run {self.runs}")
        rows = rows_of(query, self.folder, f"rows {self.runs}").file
        return publishing.publish(self.lake, DATASET, rows, write, run_id=run_id, **how)

    def rows(self, version: int) -> list:
        return read_snapshot(self.lake, DATASET, version)


def hash_of_stored_rows(publish: Publisher, snapshot: Snapshot) -> str:
    with engine.connect(publish.folder) as connection:
        engine.create_view(connection, "stored", publish.lake.rows(DATASET, snapshot.version))
        return fingerprint(connection.table("stored")).content_hash(snapshot.columns)


def in_process(lake: Lake, *files: Path, write: Write, **environment: str) -> subprocess.Popen[str]:
    """A process that publishes files one after the other, each as a run of its own."""
    code = f"""
        from pathlib import Path
        from factory.lake import publishing
        from factory.lake.write import Write
        from factory.lake.table import Lake
        lake, write = Lake({lake.storage!r}), Write(mode={write.mode!r}, keys={write.keys!r})
        for file in {list(map(str, files))!r}:
            publishing.publish(lake, {DATASET!r}, Path(file), write, run_id=Path(file).name)
    """
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), **environment},
    )
