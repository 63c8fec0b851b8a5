"""`check: expression`."""

from typing import Literal

from factory.base.section import Text
from factory.data.checks.check import Check, CheckedRows, CheckFinding, UnusableCheckError
from factory.data.written_sql import WrittenSql


class Expression(Check):
    """A SQL condition is true for every row."""

    check: Literal["expression"]
    expression: Text
    """A condition in DuckDB's SQL, such as `sold_kg <= weight_kg`; rows for which it is false or null fail."""

    def find(self, rows: CheckedRows) -> CheckFinding:
        """The rows for which the condition is false or null."""
        from factory.data.sql_rules import RefusedQueryError, check_condition

        try:
            check_condition(rows.connection, self.expression)
        except RefusedQueryError as error:
            raise UnusableCheckError(str(error)) from error
        # In a query of its own: nobody knows what is in it, a mistake, or a query over all rows.
        return rows.failing(f"({self.expression}\n) is not true")

    def written_sql(self) -> WrittenSql:
        """The condition."""
        return WrittenSql(self.expression, ("expression",))

    def describe(self) -> str:
        """The condition."""
        return f"expression({self.expression})"
