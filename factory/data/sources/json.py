"""`source: {type: json}`."""

import re
from collections.abc import Sequence
from typing import ClassVar, Literal

from factory.base.errors import TerminalError
from factory.data.sources.files import SAMPLE_ROWS, FileSource, FilesToRead


class JsonSource(FileSource):
    """JSON files: an array of objects, or one object a line."""

    reads_texts: ClassVar[bool] = True

    type: Literal["json"]

    def query(self, read: FilesToRead) -> str:
        """The SQL that reads the files, with the declared types."""
        from factory.lake.engine import canonical_type, columns_of, quote
        from factory.lake.fitting import widens

        options = {"sample_size": SAMPLE_ROWS, "union_by_name": True, **read.compression}
        query = read.by("read_json", **options)
        found = columns_of(read.connection.sql(query))
        _check_names(read, list(found))
        types = {
            name: canonical_type(kind) for name, kind in read.types.columns.items() if name in found
        }
        if read.types.pinned_by:
            # JSON's values have types: those that do not fit are not cast, but told before they are published.
            types = {name: kind for name, kind in types.items() if widens(found[name], kind)}
        if not types:
            return query
        typed = ", ".join(
            f"cast({quote(name)} as {kind}) as {quote(name)}" for name, kind in types.items()
        )
        return f"select * replace ({typed}) from ({query})"  # noqa: S608


def _check_names(read: FilesToRead, columns: Sequence[str]) -> None:
    """Check that no key differs from another one by upper and lower case only; DuckDB adds a number to its name.

    Raises:
        TerminalError: Two keys are the same to SQL; names both.
    """
    names = {name.lower() for name in columns}
    if not any(re.sub(r"_[0-9]+$", "", name) in names - {name} for name in names):
        return
    query = read.by("read_json_objects", **read.compression).replace("select *", "select json", 1)
    keys = read.connection.sql(f"select distinct unnest(json_keys(json)) from ({query})")  # noqa: S608
    seen: dict[str, str] = {}
    for (key,) in sorted(keys.fetchall()):
        if key.lower() in seen:
            raise TerminalError(
                f"objects have the keys {seen[key.lower()]!r} and {key!r}, which are the same to SQL: rename one where "
                "the file is made"
            )
        seen[key.lower()] = key
