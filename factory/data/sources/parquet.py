"""`source: {type: parquet}`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from factory.base.errors import TerminalError
from factory.data.sources.files import FileSource, FilesToRead

if TYPE_CHECKING:
    import pyarrow as pa


class ParquetSource(FileSource):
    """Parquet files."""

    type: Literal["parquet"]

    def query(self, read: FilesToRead) -> str:
        """The SQL that reads the files, which have types and a compression of their own."""
        _check_columns(read.files)
        return read.by("read_parquet", union_by_name=True)


def _check_columns(files: Sequence[Path]) -> None:
    """Refuse columns that are the same to SQL, and columns that are text in one file and something else in another.

    DuckDB would rename the former, and make text of the latter.

    Raises:
        TerminalError: There are some; names both.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    from factory.data.sources.text_dialect import check_header

    seen: dict[str, tuple[Path, pa.DataType]] = {}
    for file in files:
        try:
            schema = pq.read_schema(file)
        except (pa.ArrowException, OSError):
            continue  # DuckDB says what is wrong with it
        check_header(file.name, schema.names)
        for column in schema:
            first, kind = seen.setdefault(column.name.lower(), (file, column.type))
            has_values = not (pa.types.is_null(kind) or pa.types.is_null(column.type))
            if has_values and _is_text(kind) != _is_text(column.type):
                raise TerminalError(
                    f"column {column.name!r} is {kind} in {first.name} and {column.type} in {file.name}: files of one `path` "
                    "have one type a column. Write them alike, or read them as two datasets"
                )
            if pa.types.is_null(kind):
                seen[column.name.lower()] = (file, column.type)


def _is_text(kind: "pa.DataType") -> bool:
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    )
