"""What sources of CSV, JSON and parquet files have in common: reading through DuckDB."""

import glob
import re
import tempfile
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field
from pydantic_core import PydanticCustomError

from factory.base.errors import NothingToDoError
from factory.base.files import is_hidden
from factory.base.findings import Finding
from factory.base.rules import Broken, rule
from factory.base.section import Text
from factory.data.sources.object_stores import (
    FilesPath,
    NoMatchError,
    UnreadableFileError,
    fetch,
    find,
    is_in_store,
)
from factory.data.sources.source import IngestContext, KnownTypes, Source
from factory.data.sources.waiting import Wait
from factory.lake.storage.address import is_s3

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from factory.data.folders import DataFolders
    from factory.data.rows import Rows
    from factory.data.sources.object_stores import Choose
    from factory.lake.taken_files import SourceFile


_PACKED = (".gz", ".zst", ".bz2")
_KINDS = {
    ".parquet": "parquet", ".xlsx": "excel", ".json": "json", ".jsonl": "json", ".ndjson": "json", ".csv": "csv",
    ".tsv": "csv", ".xls": "xls", ".xlsb": "xls", ".ods": "xls", ".zip": "archive", ".tar": "archive", ".7z": "archive",
}  # fmt: skip
"""The kinds of files by the ends of their names."""
_CALLED = {
    "excel": "a workbook", "xls": "a workbook that is no .xlsx", "archive": "an archive", "json": "a JSON file",
    "parquet": "a Parquet file", "csv": "a CSV file",
}  # fmt: skip
_INSTEAD = {
    "xls": "save it as .xlsx, and write `type: excel`",
    "archive": "unpack it: of packed files sources read .gz, .zst and .bz2",
}


@dataclass(frozen=True)
class FilesToRead:
    """Files of one format that become one table."""

    connection: "DuckDBPyConnection"
    """To look into the files."""
    files: Sequence[Path]
    """At least one."""
    types: KnownTypes
    """Types of columns, where the format has none of its own."""
    compression: Mapping[str, Any]
    """The option that keeps `.gz` and `.zst` files packed; empty where they are unpacked."""
    scratch: Path
    """A folder for copies of them; removed afterwards."""
    looked_at: int | None = None
    """How many of the first rows of a file are enough, for formats that take long to be read; all if None."""

    def by(self, function: str, **options: Any) -> str:
        """The SQL that reads them by one of DuckDB's functions, such as `read_csv`."""
        from factory.lake.engine import literal

        def written(value: object) -> str:
            if isinstance(value, Mapping):
                items = (f"{literal(key)}: {literal(item)}" for key, item in value.items())
                return "{" + ", ".join(items) + "}"
            return literal(value)

        arguments = "".join(f", {name} = {written(value)}" for name, value in options.items())
        paths = literal([glob.escape(str(file)) for file in self.files])
        return f"select * from {function}({paths}{arguments})"  # noqa: S608


class FileSource(Source):
    """Files of one format below the project's folder, or in an object store; columns are matched by name."""

    places: ClassVar[tuple[str, ...]] = ("path", "connection")

    path: FilesPath = Field(examples=["data/catches/*", "s3://bucket/catches/*"])
    """A file or a glob below one of the platform's `data_folders`, or in an object store."""
    connection: Text | None = None
    """The Airflow connection of type `aws` by which `s3://…` is read; what the lake is read with if left out."""

    wait: Wait | None = None
    """How long a run waits until there is a file, or with `incremental: {by: file}` a new one; it does not wait when left
    out."""

    advice: ClassVar[str] = ""
    """What to do about a broken file, for errors."""

    @rule
    def _connection_to_s3(self) -> Broken:
        if self.connection is not None and not is_s3(self.path):
            yield PydanticCustomError(
                "together",
                "`connection` is for files in S3, and `path` is not there",
                {
                    "at": ("connection",),
                    "advice": "write a path such as s3://bucket/folder/*.csv, or take it away",
                },
            )

    def read(self, context: IngestContext) -> "Rows":
        """The rows of every file that `path` names, or of the new ones among them."""
        if not is_in_store(self.path):
            files = self._local(context)
            return self.read_files(
                files, context.project, context.file, context.types, most_rows=context.most_rows
            )
        with tempfile.TemporaryDirectory(dir=context.workspace) as folder:
            with context.connections.store_access(self.connection):
                files = fetch(
                    self.path, context.lake.storage, Path(folder), choose=_choose(context)
                )
            return self.read_files(
                files, Path(folder), context.file, context.types, most_rows=context.most_rows
            )

    @property
    def has_files(self) -> bool:
        """See `Source.has_files`."""
        return True

    def doubts(self) -> Iterator[Finding]:
        """A path whose ending says another kind of file."""
        suffixes = PurePosixPath(self.path).suffixes
        while suffixes and suffixes[-1] in _PACKED:
            suffixes.pop()
        kind = _KINDS.get(suffixes[-1].lower(), self.type) if suffixes else self.type
        if kind == self.type:
            return
        meant = _INSTEAD.get(kind, f"write `type: {kind}`")
        yield Finding(
            "other_format",
            ("path",),
            f"{self.path!r} is the name of {_CALLED[kind]}, which is read here as `type: {self.type}`",
            f"{meant}; if it is only called so, write `# factory: allow F133`",
        )

    def waiting(self) -> Wait | None:
        """See `Source.waiting`."""
        return self.wait

    def missing(self, context: IngestContext) -> str:
        """See `Source.missing`; nothing is downloaded."""
        try:
            if is_in_store(self.path):
                with context.connections.store_access(self.connection):
                    find(self.path, context.lake.storage, choose=_choose(context))
            else:
                self._local(context)
        except (UnreadableFileError, NothingToDoError) as error:
            return str(error)
        return ""

    def _local(self, context: IngestContext) -> list[Path]:
        """The files below the project's folder that are to be read."""
        files = project_files(context.folders, self.path)
        if (choose := _choose(context)) is None:
            return files
        root = context.project.resolve()
        chosen = choose(source_file(file, root) for file in files)
        return [file for file in files if str(file.relative_to(root)) in chosen]

    def read_files(
        self,
        files: Sequence[Path],
        project: Path,
        target: Path,
        types: KnownTypes,
        *,
        compressed: bool = True,
        most_rows: int | None = None,
        looked_at: int | None = None,
    ) -> "Rows":
        """Stream files into a parquet file.

        Args:
            files: At least one.
            project: The folder that errors name files relative to.
            target: The parquet file to make.
            types: Types of columns, where the format has none of its own.
            compressed: Whether `.gz` and `.zst` files are unpacked on the way.
            most_rows: How many of their first rows to read; all when left out.
            looked_at: How many of a file may decide what a column is, where the format takes long to be read.

        Raises:
            UnreadableFileError: A file is broken; names it, and the line where there is one.
        """
        import duckdb
        import pyarrow as pa

        from factory.data.rows import write_rows
        from factory.lake import engine

        options = {} if compressed else {"compression": "none"}
        with (
            engine.connect(target.parent) as connection,
            tempfile.TemporaryDirectory(dir=target.parent) as scratch,
        ):
            try:
                read = FilesToRead(
                    connection, files, types, options, Path(scratch), looked_at=looked_at
                )
                rows = connection.sql(self.query(read))
                return write_rows(rows if most_rows is None else rows.limit(most_rows), target)
            except (duckdb.Error, pa.ArrowException) as error:
                raise UnreadableFileError(self._explained(error, files, project, types)) from error

    @abstractmethod
    def query(self, read: FilesToRead) -> str:
        """The SQL that reads the files: as a rule `read.by` one of DuckDB's functions."""

    def _explained(
        self, error: Exception, files: Sequence[Path], project: Path, types: KnownTypes
    ) -> str:
        named = re.search(r"file = (.+)", str(error))
        names = named[1] if named else ", ".join(map(str, files[:5]))
        # DuckDB goes on with options of its own that a team file does not have.
        text = re.split(r"\n\s*(?:Possible|Try |file = |\* |LINE \d+:|This type was)", str(error))[
            0
        ]
        if "state machine reached an invalid state" in text:
            text = (
                "its lines end in different ways (\\n and \\r\\n), or a quote stands where none can be: write all lines alike, "
                "and quotes within a value twice"
            )
        advice = self.advice
        if types.pinned_by and "convert" in text:
            advice = (
                f"\nThe types are those of {types.pinned_by}, which its readers rely on. Correct the file, name what "
                "stands for no value in `null_values`, or declare the column's new type in `columns`"
            )
        message = re.sub(r"\S*/tmp[^/]+/\d+/", "", f"{names}: {text.strip()}{advice}")
        return message.replace(f"{project.resolve()}/", "").replace(f"{project}/", "")


def _choose(context: IngestContext) -> "Choose | None":
    return None if context.new_files is None else context.new_files.choose


def project_files(folders: "DataFolders", pattern: str) -> list[Path]:
    """The files below the project's folder that a path or glob names, sorted.

    Raises:
        NoMatchError: There is none.
        UnreadableFileError: One is empty.
        FileOutsideError: One is not for sources to read, or a link leads to such a file.
    """
    root = folders.project.resolve()
    literal_path = root / pattern
    found = [literal_path] if literal_path.is_file() else sorted(root.glob(pattern))
    files = [file for file in found if file.is_file()]
    if found != [literal_path]:
        # As in a shell, a glob does not mean hidden files.
        files = [file for file in files if not is_hidden(file.relative_to(root))]
    for file in files:
        folders.check(file)
    if empty := [str(file.relative_to(root)) for file in files if not file.stat().st_size]:
        raise UnreadableFileError(f"{', '.join(empty)}: empty, without even a header")
    if not files:
        raise NoMatchError(
            f"no file matches {pattern!r} below {root}: correct `source.path`, which is relative "
            "to the project's folder"
        )
    return files


def source_file(file: Path, root: Path) -> "SourceFile":
    """A file as snapshots remember it: what is as large and as old as it was is not read to know it again."""
    from factory.base.digests import sha256_of_file
    from factory.lake.taken_files import SourceFile

    found = file.stat()
    stamp = f"{found.st_size} {found.st_mtime_ns}"
    return SourceFile(str(file.relative_to(root)), stamp, partial(sha256_of_file, file))
