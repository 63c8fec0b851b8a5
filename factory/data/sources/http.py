"""`source: {type: http}`."""

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field
from pydantic_core import PydanticCustomError

from factory.base.hosts import PublicUrl
from factory.base.rules import Broken, rule
from factory.base.section import Text
from factory.data.sources.csv import CsvSource
from factory.data.sources.csv_dialect import CsvDialect
from factory.data.sources.excel import ExcelSource, missing_packages
from factory.data.sources.files import FileSource
from factory.data.sources.fixed_width import Fields, FixedWidthSource
from factory.data.sources.json import JsonSource
from factory.data.sources.parquet import ParquetSource
from factory.data.sources.source import IngestContext, Source

if TYPE_CHECKING:
    from factory.data.rows import Rows


class HttpSource(CsvDialect, Source):
    """A file behind an address; `connection` (an Airflow HTTP connection) adds its login and headers.

    How it is written is said as for `csv`, `excel` and `fixed_width`.
    """

    reads_texts: ClassVar[bool] = True

    places: ClassVar[tuple[str, ...]] = ("connection",)

    type: Literal["http"]
    url: PublicUrl = Field(examples=["https://example.org/catches.csv"])
    """The http(s) address of the file. A server of the workers' own network must be among the platform's
    `internal_hosts`."""
    format: Literal["csv", "json", "parquet", "excel", "fixed_width"] = "csv"
    """How the file is to be read."""
    sheet: Text | None = None
    """Of a workbook: the name of the sheet; the first one that is not hidden when left out."""
    fields: Fields | None = None
    """Of a file of fixed width: where its columns stand."""
    connection: str | None = None
    """An Airflow HTTP connection whose login and headers are sent along; none when left out."""
    max_bytes: int = Field(default=1_000_000_000, ge=1)
    """The most bytes that are taken; a larger file fails the run."""

    @rule
    def _written_as_its_format(self) -> Broken:
        others = (set(CsvDialect.model_fields) | _OF_FORMATS) - set(
            _READERS[self.format].model_fields
        )
        said = sorted(self.model_fields_set & others)
        if said:
            yield PydanticCustomError(
                "dialect",
                "`{key}` says how other files are written, and this one is {format}: leave it out",
                {"key": said[0], "format": self.format, "at": (said[0],)},
            )
        if self.format == "fixed_width" and self.fields is None:
            yield PydanticCustomError(
                "dialect", "`format: fixed_width` needs `fields`, such as {id: 6, name: 20}"
            )
        if self.format == "excel":
            yield from missing_packages("`format: excel`", "format")

    def read(self, context: IngestContext) -> "Rows":
        """Download the file and read it."""
        from factory.data.download import download

        file = context.workspace / f"download.{self.format}"
        login = context.login(self.connection, str(self.url))
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
        more = {name: getattr(self, name) for name in sorted(_OF_FORMATS) if getattr(self, name)}
        return {**super().written_how(), "format": self.format, **more}

    def _reader(self, path: str) -> FileSource:
        reader = _READERS[self.format]
        known = (set(CsvDialect.model_fields) | _OF_FORMATS) & set(reader.model_fields)
        said = {name: getattr(self, name) for name in known & self.model_fields_set}
        return reader.model_validate({"type": self.format, "path": path, **said})


_OF_FORMATS = {"sheet", "fields"}
_READERS: dict[str, type[FileSource]] = {
    "csv": CsvSource,
    "json": JsonSource,
    "parquet": ParquetSource,
    "excel": ExcelSource,
    "fixed_width": FixedWidthSource,
}
"""The source that reads each format."""
