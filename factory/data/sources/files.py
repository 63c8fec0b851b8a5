"""CSV, JSON and parquet files through DuckDB."""

import csv
import glob
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from duckdb import DuckDBPyConnection

from factory.base.errors import TerminalError
from factory.data.sources.sections import CsvSource, JsonSource, ParquetSource
from factory.data.sql import Rows, write_rows
from factory.lake import engine
from factory.lake.engine import literal

_SAMPLE_ROWS = 200_000
"""How many rows decide on the type of a column that is not declared."""

FileSource = CsvSource | JsonSource | ParquetSource


class UnreadableFileError(TerminalError):
    """A file that is missing, lies elsewhere, or is not what it is said to be."""


def project_files(project: Path, pattern: str) -> list[Path]:
    """The files below the project's folder that a path or glob names, sorted.

    Raises:
        UnreadableFileError: when there is none, or one lies outside the project behind a link.
    """
    root = project.resolve()
    literal_path = root / pattern
    found = [literal_path] if literal_path.is_file() else sorted(root.glob(pattern))
    files = [file for file in found if file.is_file()]
    for file in files:
        if not file.resolve().is_relative_to(root):
            raise UnreadableFileError(
                f"{file.relative_to(root)} is a link that leaves the project's folder: "
                "copy the file into the project"
            )
    if empty := [str(file.relative_to(root)) for file in files if not file.stat().st_size]:
        raise UnreadableFileError(f"{', '.join(empty)}: empty, without even a header")
    if not files:
        raise UnreadableFileError(
            f"no file matches {pattern!r} below {root}: correct `source.path`, which is relative "
            "to the project's folder"
        )
    return files


def read_files(
    source: FileSource,
    files: Sequence[Path],
    project: Path,
    target: Path,
    columns: Mapping[str, str],
    *,
    compressed: bool = True,
) -> Rows:
    """Stream files of one format into a parquet file; columns are matched by name.

    Args:
        source: The format and its options.
        files: At least one.
        project: The folder that errors name files relative to.
        target: The parquet file to make.
        columns: Types of columns, where the format has none of its own.
        compressed: Whether `.gz` and `.zst` files are unpacked on the way.

    Raises:
        UnreadableFileError: when a file is broken; names it, and the line where there is one.
    """
    compression = {} if compressed else {"compression": "none"}
    with engine.connect(target.parent) as connection:
        try:
            match source:
                case CsvSource():
                    options = _csv_options(source, files[0]) | compression
                    query = _csv_query(connection, files, options, columns)
                case JsonSource():
                    query = _json_query(connection, files, columns, compression)
                case _:
                    query = _call("read_parquet", files, {"union_by_name": True})
            return write_rows(connection.sql(query), target)
        except (duckdb.Error, pa.ArrowException) as error:
            raise UnreadableFileError(_explained(error, source, files, project)) from error


def _csv_options(source: CsvSource, first: Path) -> dict[str, Any]:
    return {
        "header": source.header,
        "nullstr": list(source.null_values),
        "delim": source.delimiter or _delimiter(first),
        "quote": '"',
        "escape": '"',
        "comment": "",
        # Left to itself DuckDB takes a broken file's first lines for a preamble and skips them.
        "skip": 0,
    }


def _csv_query(
    connection: DuckDBPyConnection,
    files: Sequence[Path],
    options: Mapping[str, Any],
    columns: Mapping[str, str],
) -> str:
    guessing = {**options, "sample_size": _SAMPLE_ROWS, "union_by_name": True}
    query = _call("read_csv", files, guessing)
    try:
        found = connection.sql(query).columns
    except duckdb.Error:
        _name_broken_line(connection, files, options)
        raise
    types = {name: engine.canonical_type(columns[name]) for name in found if name in columns}
    return _call("read_csv", files, {**guessing, "types": types}) if types else query


def _name_broken_line(
    connection: DuckDBPyConnection, files: Sequence[Path], options: Mapping[str, Any]
) -> None:
    """Read files without guessing, which tells the line where DuckDB's guess tells nothing.

    Raises:
        duckdb.Error: at the first line that does not have the columns of its file's first line.
    """
    for file in filter(_is_plain_text, files):
        with file.open(encoding="utf-8", errors="replace", newline="") as lines:
            names = next(csv.reader(lines, delimiter=options["delim"]), [])
        plain = {f"c{number}": "VARCHAR" for number, _ in enumerate(names)}
        strict = {**options, "auto_detect": False, "columns": plain}
        connection.sql(_call("read_csv", [file], strict)).aggregate("count(*)").fetchall()


def _delimiter(file: Path) -> str:
    """The delimiter that the first line has most of.

    DuckDB looks at more lines, and takes a file with one broken line for a file with one column.
    """
    if not _is_plain_text(file):
        return ","
    with file.open("rb") as lines:
        first = lines.readline(1 << 20)
    outside_quotes = b"".join(first.split(b'"')[::2])
    return max(",;\t|", key=lambda mark: outside_quotes.count(mark.encode()))


def _is_plain_text(file: Path) -> bool:
    return file.suffix not in (".gz", ".zst", ".bz2")


def _json_query(
    connection: DuckDBPyConnection,
    files: Sequence[Path],
    columns: Mapping[str, str],
    compression: Mapping[str, str],
) -> str:
    options = {"sample_size": _SAMPLE_ROWS, "union_by_name": True, **compression}
    query = _call("read_json", files, options)
    found = engine.columns_of(connection.sql(query))
    wanted = {name: kind for name, kind in columns.items() if name in found}
    if not wanted:
        return query
    typed = ", ".join(
        f"cast({engine.quote(name)} as {engine.canonical_type(kind)}) as {engine.quote(name)}"
        for name, kind in wanted.items()
    )
    return f"select * replace ({typed}) from ({query})"  # noqa: S608


def _call(function: str, files: Sequence[Path], options: Mapping[str, Any]) -> str:
    arguments = "".join(f", {name} = {_option(value)}" for name, value in options.items())
    paths = literal([glob.escape(str(file)) for file in files])
    return f"select * from {function}({paths}{arguments})"  # noqa: S608


def _option(value: object) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{literal(k)}: {literal(v)}" for k, v in value.items()) + "}"
    return literal(value)


def _explained(error: Exception, source: FileSource, files: Sequence[Path], project: Path) -> str:
    named = re.search(r"file = (.+)", str(error))
    names = named[1] if named else ", ".join(map(str, files[:5]))
    # DuckDB goes on with options of its own that a team file does not have.
    text = re.split(r"\n\s*(?:Possible|file = |\* |LINE \d+:|This type was)", str(error))[0]
    message = f"{names}: {text.strip()}"
    if isinstance(source, CsvSource):
        message += (
            "\nCorrect the file (CSV in UTF-8), write `delimiter`, `header` or `null_values` in "
            "`source`, or declare the column's type in `columns`"
        )
    return message.replace(f"{project.resolve()}/", "").replace(f"{project}/", "")
