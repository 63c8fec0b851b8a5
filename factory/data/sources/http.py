"""`source: {type: http}`."""

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field
from pydantic_core import PydanticCustomError

from factory.base.hosts import PublicUrl
from factory.base.rules import Broken, rule
from factory.data.sources.csv import CsvSource
from factory.data.sources.csv_dialect import CsvDialect
from factory.data.sources.files import FileSource
from factory.data.sources.json import JsonSource
from factory.data.sources.parquet import ParquetSource
from factory.data.sources.source import IngestContext, Source

if TYPE_CHECKING:
    from factory.data.rows import Rows


class HttpSource(CsvDialect, Source):
    """A file behind an address; `connection` (an Airflow HTTP connection) adds its login and headers.

    How a CSV file is written is said as for `csv`.
    """

    reads_texts: ClassVar[bool] = True

    type: Literal["http"]
    url: PublicUrl = Field(examples=["https://example.org/catches.csv"])
    """The http(s) address of the file. A server of the workers' own network must be among the platform's
    `internal_hosts`."""
    format: Literal["csv", "json", "parquet"] = "csv"
    """How the file is to be read."""
    connection: str | None = None
    """An Airflow HTTP connection whose login and headers are sent along; none when left out."""
    max_bytes: int = Field(default=1_000_000_000, ge=1)
    """The most bytes that are taken; a larger file fails the run."""

    @rule
    def _dialect_of_csv(self) -> Broken:
        said = sorted(self.model_fields_set & set(CsvDialect.model_fields))
        if said and self.format != "csv":
            yield PydanticCustomError(
                "dialect",
                "`{key}` says how CSV files are written, and this one is {format}: leave it out",
                {"key": said[0], "format": self.format, "at": (said[0],)},
            )

    def read(self, context: IngestContext) -> "Rows":
        """Download the file and read it."""
        from factory.data.download import download

        file = context.workspace / f"download.{self.format}"
        login = context.login(self.connection)
        try:
            download(
                str(self.url),
                file,
                max_bytes=self.max_bytes,
                login=login,
                internal_hosts=context.internal_hosts,
            )
            return self._reader(file.name).read_files(
                [file], file.parent, context.file, context.types, compressed=False
            )
        finally:
            file.unlink(missing_ok=True)

    def written_how(self) -> dict[str, Any]:
        """See `Source.written_how`."""
        return {**super().written_how(), "format": self.format}

    def _reader(self, path: str) -> FileSource:
        match self.format:
            case "csv":
                said = {name: getattr(self, name) for name in CsvDialect.model_fields}
                return CsvSource(type="csv", path=path, **said)
            case "json":
                return JsonSource(type="json", path=path)
            case "parquet":
                return ParquetSource(type="parquet", path=path)
