"""`transforms: [{type: sql}]`."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field
from pydantic_core import PydanticCustomError

from factory.base.errors import TerminalError
from factory.base.rules import Broken, rule
from factory.base.section import SqlFile, Text
from factory.data.transforms.transform import Transform, TransformContext
from factory.data.written_sql import WrittenSql

if TYPE_CHECKING:
    from factory.data.rows import Rows


class SqlTransform(Transform):
    """A DuckDB query; `source` is the rows so far, other datasets that are read are `team.dataset`."""

    type: Literal["sql"]
    query: Text | None = Field(default=None, examples=["select * from source where weight_kg > 0"])
    """One query in DuckDB's SQL, which may have templates. Either it or `file` is written."""
    file: SqlFile | None = Field(default=None, examples=["sql/clean.sql"])
    """A file of the project with the query, such as `sql/clean.sql`."""

    @rule
    def _one_text(self) -> Broken:
        if (self.query is None) == (self.file is None):
            yield PydanticCustomError("sql", "write either `query` or `file`")

    def apply(self, context: TransformContext) -> "Rows":
        """The rows that the query gives, in a sandbox."""
        from factory.data.rows import write_rows
        from factory.data.sql import dataset_tables, sandbox, select, sql_errors

        if self.query is None:
            raise TerminalError(
                f"{context.what}: the text of {self.file} has not been read into `query`"
            )
        tables = {
            "source": [context.rows.file],
            **dataset_tables(context.lake, context.versions),
        }
        with sandbox(tables, context.file.parent) as connection:
            relation = select(connection, self.query, context.what)
            with sql_errors(connection, self.query, context.what):
                return write_rows(relation, context.file)

    def written_sql(self, project: Path) -> WrittenSql | None:
        """The query, or the text of its file; None where that cannot be read."""
        if self.query is not None:
            return WrittenSql(self.query, ("query",))
        if self.file is None:
            return None
        file = project / self.file
        try:
            return WrittenSql(file.read_text(encoding="utf-8"), ("file",), file)
        except (OSError, UnicodeDecodeError):
            return None

    def for_document(self, project: Path) -> "SqlTransform":
        """The query in place of its file."""
        if self.file is None:
            return self
        return SqlTransform(type="sql", query=(project / self.file).read_text(encoding="utf-8"))
