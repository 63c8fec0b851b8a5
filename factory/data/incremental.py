"""`incremental`: a run reads only what no snapshot has yet."""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic_core import PydanticCustomError

from factory.base.errors import NothingToDoError, TerminalError
from factory.base.rules import Broken, rule
from factory.base.section import Section, Text
from factory.base.texts import hint

if TYPE_CHECKING:
    from factory.data.rows import Rows
    from factory.data.sources.source import IngestContext, Source
    from factory.lake.taken_files import TakenFiles

log = logging.getLogger(__name__)

_NOTE = "incremental.json"


class UnknownProgressError(TerminalError):
    """A snapshot that does not say how far its source was read."""


class Incremental(Section):
    """A run reads only what no snapshot has yet: new files, or rows above the largest value of a column."""

    by: Literal["file", "column"]
    """`file` reads files that no snapshot has taken, known by their path and content. `column` reads rows whose value in
    `column` is above the largest one of the newest snapshot."""
    column: Text | None = None
    """The column that rises with each new row, such as a time of change or a number; with `by: column`, and only then."""

    @rule
    def _column_for_by_column(self) -> Broken:
        if (self.by == "column") != (self.column is not None):
            yield PydanticCustomError(
                "incremental",
                "`column` is missing: name the column that rises with each new row"
                if self.by == "column"
                else "`column` belongs to `by: column` only",
            )

    def ingest(
        self, source: "Source", context: "IngestContext", run: "IncrementalRun"
    ) -> "tuple[Rows, Path]":
        """The new rows of a source, and the file that `read_note` reads once they are published.

        Args:
            source: Where they come from.
            context: What the source is given.
            run: What is known of the run.

        Raises:
            NothingToDoError: There is nothing new.
            ChangedFileError: A file that was taken has changed, and its rows cannot be told from the published ones.
            UnknownProgressError: The newest snapshot does not say what it has.
        """
        # Once: who publishes meanwhile is noticed when these rows are.
        version = run.newest(context)
        narrowed = self._narrowed(context, run, version)
        read = self._by_column if self.column is not None else self._by_file
        rows, note = read(source, narrowed, run, version)
        file = context.workspace / _NOTE
        file.write_text(json.dumps(note), encoding="utf-8")
        return rows, file

    def narrowed(self, context: "IngestContext", run: "IncrementalRun") -> "IngestContext":
        """What a source is given so that it reads only what is new.

        Args:
            context: What it is given to read everything.
            run: What is known of the run.

        Raises:
            UnknownProgressError: The newest snapshot does not say what it has.
        """
        return self._narrowed(context, run, run.newest(context))

    def _narrowed(
        self, context: "IngestContext", run: "IncrementalRun", version: int | None
    ) -> "IngestContext":
        from factory.data.sources.new_files import NewFiles

        if self.column is None:
            taken = None if version is None else run.taken_files(context, version)
            return replace(context, new_files=NewFiles(taken, takes_changed_ones=run.merges))
        largest = None if version is None else _largest(context, run.dataset, version, self.column)
        return replace(context, parameters={"largest": largest})

    def _by_file(
        self,
        source: "Source",
        narrowed: "IngestContext",
        run: "IncrementalRun",
        version: int | None,
    ) -> "tuple[Rows, Mapping[str, Any]]":
        from factory.data.sources.object_stores import NoMatchError
        from factory.lake.taken_files import first_note

        new = narrowed.new_files
        assert new is not None  # noqa: S101 - as `narrowed` has it
        taken = new.taken
        try:
            rows = source.ingest(narrowed)
        except NoMatchError as error:
            if taken is None:
                raise
            raise NothingToDoError(f"{run.dataset}: there is no new file: {error}") from None
        if taken is None or version is None:
            return rows, first_note(new.chosen)
        return rows, taken.note(new.chosen, version)

    def _by_column(
        self,
        source: "Source",
        narrowed: "IngestContext",
        run: "IncrementalRun",
        version: int | None,
    ) -> "tuple[Rows, Mapping[str, Any]]":
        assert self.column is not None  # noqa: S101 - as the rule has it
        largest = narrowed.parameters["largest"]
        rows = source.ingest(narrowed)
        if self.column not in rows.columns:
            raise TerminalError(
                f"incremental.column: the source has no column {self.column!r}{hint(self.column, rows.columns)}; "
                f"it has {', '.join(rows.columns)}"
            )
        if largest is not None:
            # Without rows, columns have no types either that could be compared.
            rows = _above(rows, self.column, largest) if rows.rows else rows
            if not rows.rows:
                raise NothingToDoError(
                    f"{run.dataset}: there is no new row: none has `{self.column}` above {largest}, the largest value of "
                    f"version {version}"
                )
        return rows, {"after": version}


@dataclass(frozen=True)
class IncrementalRun:
    """What is known of a run that reads only what is new."""

    dataset: str
    """The full name, `team.dataset`."""
    run_id: str
    """Which run it is: one that is repeated reads again what it has published itself."""
    merges: bool
    """Whether its rows replace published ones with the same keys."""
    full_refresh: bool = False
    """Whether everything is read, whatever the snapshots have."""

    def newest(self, context: "IngestContext") -> int | None:
        """The version that the run builds upon; None where it begins anew."""
        from factory.lake.snapshot import NoSnapshotError

        if self.full_refresh:
            return None
        try:
            newest, note = context.lake.published(
                self.dataset, context.lake.table(self.dataset).version()
            )
        except NoSnapshotError:
            return None
        if note["run_id"] == self.run_id and "incremental" in note and "restored" not in note:
            after: int | None = note["incremental"]["after"]
            return after
        return newest.version

    def taken_files(self, context: "IngestContext", version: int) -> "TakenFiles":
        """The files that a snapshot, and those before it, have taken.

        Raises:
            UnknownProgressError: The snapshot does not say.
        """
        from factory.lake.taken_files import TakenFiles

        taken = TakenFiles.of(context.lake, self.dataset, version)
        if taken is None:
            raise UnknownProgressError(
                f"{self.dataset}: version {version} does not say which files it has, since it was published without "
                "`incremental: {by: file}`: start one run with the param `full_refresh`, which publishes the rows of all "
                "files in its place"
            )
        return taken


def read_note(file: str) -> dict[str, Any]:
    """What `Incremental.ingest` has written, for the commit that publishes its rows."""
    note: dict[str, Any] = json.loads(Path(file).read_text("utf-8"))
    return note


def _largest(context: "IngestContext", dataset: str, version: int, column: str) -> Any:
    """The largest value of a column in a snapshot; None where it has no rows."""
    from factory.lake import engine
    from factory.lake.engine import quote

    name = quote(column)
    snapshot = context.lake.snapshot(dataset, version)
    if not snapshot.rows:
        return None
    advice = "or start one run with the param `full_refresh`, which reads everything"
    if column not in snapshot.columns:
        raise UnknownProgressError(
            f"incremental.column: version {version} of {dataset} has no column {column!r}"
            f"{hint(column, snapshot.columns)}; it has {', '.join(snapshot.columns)}: name one of these, {advice}"
        )
    with engine.connect(context.workspace) as connection:
        engine.create_view(connection, "published", context.lake.rows(dataset, version))
        # A float that is no number is larger than all numbers to DuckDB.
        is_number = (
            ""
            if snapshot.columns[column] not in ("FLOAT", "DOUBLE")
            else f" filter (not isnan({name}))"
        )
        [(largest,)] = connection.table("published").aggregate(f"max({name}){is_number}").fetchall()
    if largest is None:
        raise UnknownProgressError(
            f"incremental.column: all values of {column!r} are null in version {version} of {dataset}: name another "
            f"column, {advice}"
        )
    return largest


def _above(rows: "Rows", column: str, largest: Any) -> "Rows":
    """The rows whose value is above the largest one that was published; those without a value are left out."""
    import duckdb
    import pyarrow as pa

    from factory.data.rows import write_rows
    from factory.lake import engine
    from factory.lake.engine import quote

    with engine.connect(rows.file.parent) as connection:
        engine.create_view(connection, "source", [rows.file])
        source, name = connection.table("source"), quote(column)
        try:
            above = source.filter(
                duckdb.ColumnExpression(column) > duckdb.ConstantExpression(largest)
            )
            nulls = source.filter(f"{name} is null").aggregate("count(*)").fetchall()[0][0]
            if nulls:
                log.warning(
                    "left out %s rows whose `%s` is null: nobody can say whether they are new",
                    f"{nulls:,}",
                    column,
                )
            return write_rows(above, rows.file.with_name("new_rows.parquet"))
        except (duckdb.Error, pa.ArrowException) as error:
            raise TerminalError(
                f"incremental.column: {column!r} is {rows.columns[column]} now and cannot be compared with {largest!r}, "
                f"the largest value that was published: {error}"
            ) from error
