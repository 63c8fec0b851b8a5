"""How a source of images tells labels: by folder, by a CSV file, or by the file's name."""

import logging
import re
from abc import ABC, abstractmethod
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from factory.base.section import DataPath, Section, Text
from factory.data.images.store import ImageError

if TYPE_CHECKING:
    from duckdb import DuckDBPyRelation

    from factory.data.folders import DataFolders

log = logging.getLogger(__name__)

_SHOWN = 5


class LabelReader(ABC):
    """Tells the labels of one run's images."""

    @abstractmethod
    def label(self, path: str) -> str | None:
        """The label of the image at a path, relative and with slashes; None if there is none."""

    def finish(self, images: int, unlabelled: int) -> None:
        """Say what is odd once every image has been asked about.

        Raises:
            ImageError: Not one of several images has a label.
        """
        if images and images == unlabelled:
            raise ImageError(f"not one of {images:,} images has a label: {self.advice}")
        if unlabelled:
            log.warning(
                "%s of %s images have no label, which a check `not_null` finds: %s",
                f"{unlabelled:,}",
                f"{images:,}",
                self.advice,
            )

    @property
    @abstractmethod
    def advice(self) -> str:
        """What to do about images without labels."""


class FolderLabels(Section):
    """The name of the folder that an image lies in; none at the top."""

    type: Literal["folder"]

    def reader(self, folders: "DataFolders", scratch: Path) -> LabelReader:  # noqa: ARG002
        """What tells the labels; see `CsvLabels.reader`."""
        return _ByFolder()


class CsvLabels(Section):
    """A CSV file that names images, by their path or by their file's name, and their labels."""

    type: Literal["csv"]
    path: DataPath
    """A CSV file below one of the platform's `data_folders`."""
    file_column: Text
    """The column that names images, by their path or by their file's name alone."""
    label_column: Text
    """The column that has their labels."""

    def reader(self, folders: "DataFolders", scratch: Path) -> LabelReader:
        """What tells the labels.

        Args:
            folders: Where files may be read.
            scratch: A folder for intermediate files.

        Raises:
            TerminalError: The CSV file cannot be used.
        """
        return _ByCsv(self, folders, scratch)


def _check_label_pattern(value: str) -> str:
    try:
        groups = re.compile(value).groupindex
    except re.error as error:
        raise PydanticCustomError(
            "pattern", "not a regular expression: {why}", {"why": str(error)}
        ) from None
    if "label" not in groups:
        raise PydanticCustomError(
            "pattern",
            "the pattern has no group `label`: write the part that is the label as "
            r"{example}",
            {"example": r"(?P<label>cat|dog)\."},
        )
    return value


class PatternLabels(Section):
    """What the group `label` of a pattern finds in an image's path."""

    type: Literal["pattern"]
    pattern: Annotated[Text, AfterValidator(_check_label_pattern)] = Field(
        examples=[r"(?P<label>cat|dog)\."]
    )
    """A regular expression that is searched in an image's path; what its group `label` finds is the label."""

    def reader(self, folders: "DataFolders", scratch: Path) -> LabelReader:  # noqa: ARG002
        """What tells the labels; see `CsvLabels.reader`."""
        return _ByPattern(self.pattern)


Labels = Annotated[FolderLabels | CsvLabels | PatternLabels, Field(discriminator="type")]


class _ByFolder(LabelReader):
    def label(self, path: str) -> str | None:
        return PurePosixPath(path).parent.name or None

    @property
    def advice(self) -> str:
        return "put images into folders that are named for what they show, or write `labels`"

    def finish(self, images: int, unlabelled: int) -> None:
        # Images to predict lie in one folder: they have no labels yet.
        if images != unlabelled:
            super().finish(images, unlabelled)


class _ByPattern(LabelReader):
    def __init__(self, pattern: str) -> None:
        self.pattern = re.compile(pattern)

    def label(self, path: str) -> str | None:
        found = self.pattern.search(path)
        return found["label"] or None if found else None

    @property
    def advice(self) -> str:
        return f"correct `labels.pattern` {self.pattern.pattern!r}"


class _ByCsv(LabelReader):
    def __init__(self, labels: CsvLabels, folders: "DataFolders", scratch: Path) -> None:
        self.labels = labels
        self.by_name = _read(labels, folders, scratch)
        self.used: set[str] = set()

    def label(self, path: str) -> str | None:
        for name in (path, PurePosixPath(path).name):
            if name in self.by_name:
                self.used.add(name)
                return self.by_name[name]
        return None

    def finish(self, images: int, unlabelled: int) -> None:
        super().finish(images, unlabelled)
        if missing := sorted(self.by_name.keys() - self.used):
            log.warning(
                "%s names %s images that are not there: %s …",
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


def _read(labels: CsvLabels, folders: "DataFolders", scratch: Path) -> dict[str, str]:
    from factory.data.columns import require_columns
    from factory.data.sources.csv import CsvSource
    from factory.data.sources.files import project_files
    from factory.data.sources.source import KnownTypes
    from factory.lake import engine

    source = CsvSource(type="csv", path=labels.path)
    columns = {labels.file_column: "VARCHAR", labels.label_column: "VARCHAR"}
    file = scratch / "labels.parquet"
    try:
        files = project_files(folders, labels.path)
        read = source.read_files(files, folders.project, file, KnownTypes(columns))
        require_columns(columns, list(read.columns), f"labels in {labels.path}")
        name, label = map(engine.quote, columns)
        with engine.connect(scratch) as connection:
            engine.create_view(connection, "labels", [file])
            rows = connection.table("labels").filter(f"{name} is not null")
            _check_once(rows, name, labels)
            return dict(rows.filter(f"{label} is not null").project(f"{name}, {label}").fetchall())
    finally:
        file.unlink(missing_ok=True)


def _check_once(rows: "DuckDBPyRelation", name: str, labels: CsvLabels) -> None:
    from factory.lake.engine import quote

    twice = rows.aggregate(f"{name} as name, count(distinct {quote(labels.label_column)}) as n")
    found = [str(row[0]) for row in twice.filter("n > 1").order("name").limit(_SHOWN).fetchall()]
    if found:
        raise ImageError(
            f"{labels.path} gives several labels to {', '.join(found)}: leave one line for each"
        )
