"""What a picture shows, by its folder, by a CSV file, or by its name."""

import logging
import re
from abc import ABC, abstractmethod
from pathlib import Path, PurePosixPath

import duckdb

from factory.data.columns import require_columns
from factory.data.images.store import ImageError
from factory.data.sources.files import project_files, read_files
from factory.data.sources.sections import CsvLabels, CsvSource, FolderLabels, Labels, PatternLabels
from factory.lake import engine
from factory.lake.engine import quote

log = logging.getLogger(__name__)

_SHOWN = 5


class Labelling(ABC):
    """A way to tell labels."""

    @abstractmethod
    def label(self, path: str) -> str | None:
        """The label of the picture at a path, relative and with slashes; None if there is none."""

    def finish(self, pictures: int, unlabelled: int) -> None:
        """Say what is odd once every picture has been asked about.

        Raises:
            ImageError: Not one of several pictures has a label.
        """
        if pictures and pictures == unlabelled:
            raise ImageError(f"not one of {pictures:,} pictures has a label: {self.advice}")
        if unlabelled:
            log.warning(
                "%s of %s pictures have no label, which a check `not_null` finds: %s",
                f"{unlabelled:,}",
                f"{pictures:,}",
                self.advice,
            )

    @property
    @abstractmethod
    def advice(self) -> str:
        """What to do about pictures without labels."""


def labelling(labels: Labels, project: Path, scratch: Path) -> Labelling:
    """The way that a source names.

    Args:
        labels: What is written.
        project: The folder that paths are below.
        scratch: A folder for intermediate files.

    Raises:
        TerminalError: A CSV file cannot be used.
    """
    match labels:
        case FolderLabels():
            return _ByFolder()
        case PatternLabels():
            return _ByPattern(labels.pattern)
        case CsvLabels():
            return _ByCsv(labels, project, scratch)


class _ByFolder(Labelling):
    def label(self, path: str) -> str | None:
        return PurePosixPath(path).parent.name or None

    @property
    def advice(self) -> str:
        return "put pictures into folders that are named for what they show, or write `labels`"

    def finish(self, pictures: int, unlabelled: int) -> None:
        # Pictures to predict lie in one folder: they have no labels yet.
        if pictures != unlabelled:
            super().finish(pictures, unlabelled)


class _ByPattern(Labelling):
    def __init__(self, pattern: str) -> None:
        self.pattern = re.compile(pattern)

    def label(self, path: str) -> str | None:
        found = self.pattern.search(path)
        return found["label"] or None if found else None

    @property
    def advice(self) -> str:
        return f"correct `labels.pattern` {self.pattern.pattern!r}"


class _ByCsv(Labelling):
    def __init__(self, labels: CsvLabels, project: Path, scratch: Path) -> None:
        self.labels = labels
        self.by_name = _read(labels, project, scratch)
        self.used: set[str] = set()

    def label(self, path: str) -> str | None:
        for name in (path, PurePosixPath(path).name):
            if name in self.by_name:
                self.used.add(name)
                return self.by_name[name]
        return None

    def finish(self, pictures: int, unlabelled: int) -> None:
        super().finish(pictures, unlabelled)
        if missing := sorted(self.by_name.keys() - self.used):
            log.warning(
                "%s names %s pictures that are not there: %s …",
                self.labels.path,
                f"{len(missing):,}",
                ", ".join(missing[:_SHOWN]),
            )

    @property
    def advice(self) -> str:
        return (
            f"{self.labels.path} names them, in its column {self.labels.file_column!r}, by their "
            "path below the source, or by their file's name"
        )


def _read(labels: CsvLabels, project: Path, scratch: Path) -> dict[str, str]:
    source = CsvSource(type="csv", path=labels.path)
    columns = {labels.file_column: "VARCHAR", labels.label_column: "VARCHAR"}
    file = scratch / "labels.parquet"
    try:
        read = read_files(source, project_files(project, labels.path), project, file, columns)
        require_columns(columns, list(read.columns), f"labels in {labels.path}")
        name, label = map(quote, columns)
        with engine.connect(scratch) as connection:
            engine.create_view(connection, "labels", [file])
            rows = connection.table("labels").filter(f"{name} is not null")
            _check_once(rows, name, labels)
            return dict(rows.filter(f"{label} is not null").project(f"{name}, {label}").fetchall())
    finally:
        file.unlink(missing_ok=True)


def _check_once(rows: duckdb.DuckDBPyRelation, name: str, labels: CsvLabels) -> None:
    twice = rows.aggregate(f"{name} as name, count(distinct {quote(labels.label_column)}) as n")
    found = [str(row[0]) for row in twice.filter("n > 1").order("name").limit(_SHOWN).fetchall()]
    if found:
        raise ImageError(
            f"{labels.path} gives several labels to {', '.join(found)}: leave one line for each"
        )
