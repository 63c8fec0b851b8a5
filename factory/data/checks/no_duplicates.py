"""`check: no_duplicates`."""

from typing import Literal

from factory.data.checks.check import Check, CheckedRows, CheckFinding


class NoDuplicates(Check):
    """No row is there twice, the same in all columns; nulls are equal to each other."""

    check: Literal["no_duplicates"]

    def find(self, rows: CheckedRows) -> CheckFinding:
        """The rows that are there several times, the most frequent first."""
        from factory.lake.engine import quote

        names = ", ".join(map(quote, rows.result.columns))
        repeated = rows.result.aggregate(f'{names}, count(*) as "number of rows"', names).filter(
            '"number of rows" > 1'
        )
        [(count, different)] = repeated.aggregate(
            'coalesce(sum("number of rows"), 0)::bigint, count(*)'
        ).fetchall()
        if not count:
            return CheckFinding()
        sample = rows.sample(repeated.order('"number of rows" desc'), ("number of rows",))
        return CheckFinding(f"{count:,} rows are {different:,} different ones", count, sample)
