"""`source: {type: json}`."""

from typing import Literal

from factory.data.sources.files import SAMPLE_ROWS, FileSource, FilesToRead


class JsonSource(FileSource):
    """JSON files: an array of objects, or one object a line."""

    type: Literal["json"]

    def query(self, read: FilesToRead) -> str:
        """The SQL that reads the files, with the declared types."""
        from factory.lake.engine import canonical_type, columns_of, quote

        options = {"sample_size": SAMPLE_ROWS, "union_by_name": True, **read.compression}
        query = read.by("read_json", **options)
        found = columns_of(read.connection.sql(query))
        types = {name: canonical_type(kind) for name, kind in read.columns.items() if name in found}
        if not types:
            return query
        typed = ", ".join(
            f"cast({quote(name)} as {kind}) as {quote(name)}" for name, kind in types.items()
        )
        return f"select * replace ({typed}) from ({query})"  # noqa: S608
