"""`check: custom_sql`."""

from typing import Literal

from factory.base.section import Text
from factory.data.checks.check import Check, CheckedRows, CheckFinding, UnusableCheckError
from factory.data.written_sql import WrittenSql

_SHOWN = 80


class CustomSql(Check):
    """A query gives no rows, as a test in dbt: what it gives does not pass.

    `result` is the dataset as it would be published; datasets in `reads` are tables `team.dataset`.
    """

    check: Literal["custom_sql"]
    query: Text
    """One SELECT over the checked rows, the table `result`, and over datasets in `reads`: each row that it gives is a failure."""

    def find(self, rows: CheckedRows) -> CheckFinding:
        """The rows that the query gives."""
        from factory.data.sql_rules import RefusedQueryError, check_query

        try:
            check_query(rows.connection, self.query)
        except RefusedQueryError as error:
            raise UnusableCheckError(str(error)) from error
        found = rows.connection.sql(self.query)
        [(count,)] = found.aggregate("count(*)").fetchall()
        if not count:
            return CheckFinding()
        return CheckFinding(f"the query gives {count:,} rows", count, rows.sample(found))

    def written_sql(self) -> WrittenSql:
        """The query."""
        return WrittenSql(self.query, ("query",), is_query=True)

    def describe(self) -> str:
        """The query, in short."""
        text = " ".join(self.query.split())
        return f"custom_sql({text if len(text) <= _SHOWN else f'{text[: _SHOWN - 1]}…'})"
