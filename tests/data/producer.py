"""The runs of one dataset, without Airflow."""

import itertools

from factory.data.checks.report import CheckReport
from factory.data.dataset import Dataset
from factory.data.folders import DataFolders
from factory.data.incremental import IncrementalRun, read_note
from factory.data.publish import publish
from factory.data.sources.source import IngestContext
from tests.data.rows import lake_in, read_snapshot

DATASET = "shop.orders"


class Producer:
    """The runs of one dataset, without Airflow."""

    def __init__(self, folder):
        self.folder = folder
        self.lake = lake_in(folder)
        self.numbers = itertools.count(1)
        self.files = folder / "data" / "in"
        self.files.mkdir(parents=True)

    def file(self, name: str, *lines: str) -> None:
        (self.files / name).write_text("\n".join(lines) + "\n")

    def ingest(self, section: dict, run_id: str, *, full_refresh: bool = False, **context):
        dataset = Dataset.model_validate(section)
        workspace = self.folder / "workspace" / run_id
        workspace.mkdir(parents=True, exist_ok=True)
        given = IngestContext(DataFolders(self.folder), workspace, "shop", self.lake, **context)
        write = dataset.write.refreshed() if full_refresh else dataset.write
        run = IncrementalRun(DATASET, run_id, write.mode == "merge", full_refresh)
        if dataset.incremental is None:
            return dataset.source.ingest(given), write, None
        rows, note = dataset.incremental.ingest(dataset.source, given, run)
        return rows, write, read_note(note)

    def publish(self, rows, write, note, run_id: str):
        report = CheckReport((), rows=rows.rows)
        return publish(
            DATASET, rows, write, lake=self.lake, run_id=run_id, report=report, incremental=note
        )

    def __call__(self, section: dict, run_id: str = "", **how):
        run_id = run_id or f"run {next(self.numbers)}"
        return self.publish(*self.ingest(section, run_id, **how), run_id)

    def ids(self) -> list[int]:
        newest = self.lake.newest(DATASET)
        return sorted(row[0] for row in read_snapshot(self.lake, DATASET, newest.version))


def missing(producer: Producer, section: dict, run_id: str = "waiting", **context) -> str:
    """Why there is nothing to read yet; empty where there is something."""
    dataset = Dataset.model_validate(section)
    workspace = producer.folder / "workspace" / run_id
    workspace.mkdir(parents=True, exist_ok=True)
    folders = DataFolders(producer.folder)
    given = IngestContext(folders, workspace, "shop", producer.lake, **context)
    if dataset.incremental is not None:
        given = dataset.incremental.narrowed(given, IncrementalRun(DATASET, run_id, False))
    return dataset.source.missing(given)
