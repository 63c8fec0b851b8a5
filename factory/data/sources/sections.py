"""`source`: where a dataset's rows come from."""

import re
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AnyHttpUrl, Field, ValidationInfo, model_validator
from pydantic_core import PydanticCustomError

from factory.base.section import DottedPath, ListOf, Reference, Section, Surroundings, Text
from factory.data.sources.source import Source
from factory.kinds import SOURCE, KindOf


def _check_path(value: str) -> str:
    path = PurePosixPath(value)
    if path.is_absolute() or ".." in path.parts or "://" in value:
        raise PydanticCustomError(
            "path",
            "{value} is outside the project: write a path below the project's folder, "
            "without `..` (globs such as data/*.csv are fine)",
            {"value": repr(value)},
        )
    return value


def _check_is_there(value: str, info: ValidationInfo) -> str:
    surroundings = info.context
    if not isinstance(surroundings, Surroundings):
        return value
    project = surroundings.project.resolve()
    found = (project / value).resolve()
    if not found.is_file() or not found.is_relative_to(project):
        raise PydanticCustomError(
            "project_file",
            "there is no file {value} in the project",
            {"value": repr(value), "advice": "paths start at the project's folder, above configs/"},
        )
    return value


ProjectPath = Annotated[Text, AfterValidator(_check_path)]
"""A path below the project's folder."""

ProjectFile = Annotated[ProjectPath, AfterValidator(_check_is_there)]
"""A file below the project's folder that is there when the team's file is read."""


class CsvSource(Source):
    """CSV files; types are found by DuckDB unless `columns` of the dataset declares them."""

    type: Literal["csv"]
    path: ProjectPath
    delimiter: str | None = Field(default=None, min_length=1, max_length=1)
    header: bool = True
    null_values: ListOf[str] = ("",)


class ParquetSource(Source):
    """Parquet files."""

    type: Literal["parquet"]
    path: ProjectPath


class JsonSource(Source):
    """JSON files: an array of objects, or one object a line."""

    type: Literal["json"]
    path: ProjectPath


class SqlSource(Source):
    """The rows of a query, read in chunks through an Airflow connection."""

    type: Literal["sql"]
    connection: Text
    query: Text
    chunk_rows: int = Field(default=50_000, ge=1, le=1_000_000)


class HttpSource(Source):
    """A file behind an address; `connection` (an Airflow HTTP connection) adds its login and headers."""

    type: Literal["http"]
    url: AnyHttpUrl
    format: Literal["csv", "json", "parquet"] = "csv"
    connection: str | None = None
    max_bytes: int = Field(default=1_000_000_000, ge=1)


class FolderLabels(Section):
    """The name of the folder that a picture lies in; none at the top."""

    type: Literal["folder"]


class CsvLabels(Section):
    """A CSV file that names pictures, by their path or by their file's name, and their labels."""

    type: Literal["csv"]
    path: ProjectPath
    file_column: Text
    label_column: Text


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
    """What the group `label` of a pattern finds in a picture's path."""

    type: Literal["pattern"]
    pattern: Annotated[Text, AfterValidator(_check_label_pattern)]


Labels = Annotated[FolderLabels | CsvLabels | PatternLabels, Field(discriminator="type")]


class ImageLimits(Section):
    """How much may come in, counted as it does."""

    max_files: int = Field(default=200_000, ge=1)
    max_file_bytes: int = Field(default=50_000_000, ge=1)
    max_total_bytes: int = Field(default=50_000_000_000, ge=1)
    max_pixels: int = Field(default=50_000_000, ge=1, le=178_000_000)
    """Width times height; a picture with more counts as one that cannot be read."""


def _check_prefix(value: str) -> str:
    if not re.fullmatch(r"s3://[a-z0-9][a-z0-9.-]+(/[^?#]*)?", value):
        raise PydanticCustomError(
            "prefix",
            "{value} is no address of an object store: write one such as s3://bucket/pictures",
            {"value": repr(value)},
        )
    return value.rstrip("/")


IMAGE_COLUMNS = ("path", "label", "image", "format", "width", "height", "bytes")
"""The columns of a dataset of pictures: `image` is the address of the bytes."""


class ImagesSource(Source):
    """Pictures: one row a file, its bytes kept beside the table.

    They come from the project (`path`: a folder, a glob, or tar, tar.gz and zip archives), from an
    archive behind an address (`url`), or from an object store (`prefix`).
    """

    type: Literal["images"]
    path: ProjectPath | None = None
    url: AnyHttpUrl | None = None
    prefix: Annotated[Text, AfterValidator(_check_prefix)] | None = None
    connection: str | None = None
    """An Airflow HTTP connection, which adds its login and headers to `url`."""
    max_bytes: int = Field(default=5_000_000_000, ge=1)
    """Of the archive behind `url`."""
    labels: Labels = FolderLabels(type="folder")
    limits: ImageLimits = ImageLimits()

    @model_validator(mode="after")
    def _one_place(self) -> "ImagesSource":
        if sum(place is not None for place in (self.path, self.url, self.prefix)) != 1:
            raise PydanticCustomError(
                "images", "pictures come from one place: write `path`, `url` or `prefix`"
            )
        if self.url is None and {"connection", "max_bytes"} & self.model_fields_set:
            raise PydanticCustomError("images", "`connection` and `max_bytes` belong to `url` only")
        return self


class DatasetSource(Source):
    """Another dataset, of this team or one that another team shares."""

    type: Literal["dataset"]
    dataset: Reference


class PythonSource(Source):
    """What a function returns: a pandas DataFrame, a pyarrow Table, or an iterable of either."""

    type: Literal["python"]
    call: DottedPath
    arguments: dict[str, Any] = Field(default_factory=dict)
    attribute: Text | None = None
    """The part of the result that holds the rows, such as `frame` of scikit-learn's loaders."""


AnySource = Annotated[Source, KindOf(SOURCE)]
"""Any kind of source."""
