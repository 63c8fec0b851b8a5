"""`source: {type: json}`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from factory.data.sources.files import SAMPLE_ROWS, FileSource, file_query

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


class JsonSource(FileSource):
    """JSON files: an array of objects, or one object a line."""

    type: Literal["json"]

    def query(
        self,
        connection: "DuckDBPyConnection",
        files: Sequence[Path],
        columns: Mapping[str, str],
        options: Mapping[str, Any],
    ) -> str:
        """The SQL that reads the files, with the declared types."""
        from factory.lake.engine import canonical_type, columns_of, quote

        options = {"sample_size": SAMPLE_ROWS, "union_by_name": True, **options}
        query = file_query("read_json", files, options)
        found = columns_of(connection.sql(query))
        types = {name: canonical_type(kind) for name, kind in columns.items() if name in found}
        if not types:
            return query
        typed = ", ".join(
            f"cast({quote(name)} as {kind}) as {quote(name)}" for name, kind in types.items()
        )
        return f"select * replace ({typed}) from ({query})"  # noqa: S608
