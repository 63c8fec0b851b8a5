"""`source`: where a dataset's rows come from."""

from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AnyHttpUrl, Field
from pydantic_core import PydanticCustomError

from factory.config.base import DottedPath, ListOf, Reference, Section, Text


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


ProjectPath = Annotated[Text, AfterValidator(_check_path)]
"""A path below the project's folder."""


class CsvSource(Section):
    """CSV files; types are found by DuckDB unless `columns` of the dataset declares them."""

    type: Literal["csv"]
    path: ProjectPath
    delimiter: str | None = Field(default=None, min_length=1, max_length=1)
    header: bool = True
    null_values: ListOf[str] = ("",)


class ParquetSource(Section):
    """Parquet files."""

    type: Literal["parquet"]
    path: ProjectPath


class JsonSource(Section):
    """JSON files: an array of objects, or one object a line."""

    type: Literal["json"]
    path: ProjectPath


class SqlSource(Section):
    """The rows of a query, read in chunks through an Airflow connection."""

    type: Literal["sql"]
    connection: Text
    query: Text
    chunk_rows: int = Field(default=50_000, ge=1, le=1_000_000)


class HttpSource(Section):
    """A file behind an address; `connection` (an Airflow HTTP connection) adds its login and headers."""

    type: Literal["http"]
    url: AnyHttpUrl
    format: Literal["csv", "json", "parquet"] = "csv"
    connection: str | None = None
    max_bytes: int = Field(default=1_000_000_000, ge=1)


class DatasetSource(Section):
    """Another dataset, of this team or one that another team shares."""

    type: Literal["dataset"]
    dataset: Reference


class PythonSource(Section):
    """What a function returns: a pandas DataFrame, a pyarrow Table, or an iterable of either."""

    type: Literal["python"]
    call: DottedPath
    arguments: dict[str, Any] = Field(default_factory=dict)
    attribute: Text | None = None
    """The part of the result that holds the rows, such as `frame` of scikit-learn's loaders."""


Source = Annotated[
    CsvSource | ParquetSource | JsonSource | SqlSource | HttpSource | DatasetSource | PythonSource,
    Field(discriminator="type"),
]
