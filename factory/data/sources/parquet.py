"""`source: {type: parquet}`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from factory.data.sources.files import FileSource, file_query

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


class ParquetSource(FileSource):
    """Parquet files."""

    type: Literal["parquet"]

    def query(
        self,
        connection: "DuckDBPyConnection",  # noqa: ARG002
        files: Sequence[Path],
        columns: Mapping[str, str],  # noqa: ARG002
        options: Mapping[str, Any],  # noqa: ARG002
    ) -> str:
        """The SQL that reads the files, which have types and a compression of their own."""
        return file_query("read_parquet", files, {"union_by_name": True})
