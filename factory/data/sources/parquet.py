"""`source: {type: parquet}`."""

from typing import Literal

from factory.data.sources.files import FileSource, FilesToRead


class ParquetSource(FileSource):
    """Parquet files."""

    type: Literal["parquet"]

    def query(self, read: FilesToRead) -> str:
        """The SQL that reads the files, which have types and a compression of their own."""
        return read.by("read_parquet", union_by_name=True)
