"""Whether a dataset's rows may be published."""

import difflib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any

import duckdb
from duckdb import DuckDBPyConnection, DuckDBPyRelation

from factory.data.checks.conditions import (
    RowCondition,
    checked_columns,
    describe,
    row_condition,
    within,
)
from factory.data.checks.report import SAMPLE_ROWS, CheckFailedError, CheckReport, CheckResult
from factory.data.checks.sections import (
    Check,
    Duplicate,
    Freshness,
    LabelCount,
    MinSize,
    Readable,
    RowCount,
    Unique,
)
from factory.data.dataset import Write
from factory.data.images.checks import same_pictures, uneven_labels
from factory.data.sql import Rows, sandbox
from factory.lake import engine
from factory.lake.engine import quote
from factory.lake.fitting import fit
from factory.lake.snapshot import NoSnapshotError, SchemaMismatchError, Snapshot
from factory.lake.table import Lake

__all__ = ["CheckFailedError", "CheckReport", "CheckResult", "check"]

log = logging.getLogger(__name__)

_RESULT = "result"


def check(
    checks: Sequence[Check],
    rows: Rows,
    *,
    columns: Mapping[str, str] | None,
    write: Write,
    lake: Lake,
    dataset: str,
    now: datetime | None = None,
) -> CheckReport:
    """Check the dataset as it will be once the rows are published.

    Every check runs, whatever the others find. The declared columns, if any, must be exactly those
    of the rows, and rows that are appended or merged must fit the published ones; both halt.
    A check that cannot run (an unknown column, a pattern that DuckDB cannot read) fails, and
    halts even where its `on_fail` is `warn`: it has found nothing out.

    Args:
        checks: The checks, in order.
        rows: The new rows.
        columns: The promised columns and their DuckDB types.
        write: How the new rows meet the published ones.
        lake: Where the published ones are.
        dataset: The full name, `team.dataset`.
        now: The time that freshness is measured from; the present by default.

    Raises:
        CheckFailedError: when a halting check failed; carries the report.
    """
    published = _published(lake, dataset, write)
    tables: dict[str, Any] = {"source": [rows.file]}
    if published is not None:
        tables["published"] = lake.rows(dataset, published.version)
    with sandbox(tables, rows.file.parent) as connection:
        implied = [] if columns is None else [_check_columns(columns, rows)]
        if (misfit := _create_result(connection, published, write, dataset)) is not None:
            implied.append(misfit)
        checker = _Checker(connection, now or datetime.now(UTC))
        report = CheckReport((*implied, *checker.run(checks)), checker.rows)
    log.log(
        logging.WARNING if report.failures or report.warnings else logging.INFO, report.as_text()
    )
    if report.failures:
        raise CheckFailedError(dataset, report)
    return report


def _published(lake: Lake, dataset: str, write: Write) -> Snapshot | None:
    if write.mode == "replace":
        return None
    try:
        return lake.newest(dataset)
    except NoSnapshotError:
        return None


def _create_result(
    connection: DuckDBPyConnection, published: Snapshot | None, write: Write, dataset: str
) -> CheckResult | None:
    """Make the view `result`; new rows that do not fit the published ones are checked alone."""
    new = connection.table("source")
    if published is None:
        new.create_view(_RESULT)
        return None
    try:
        fitted = fit(new, published.columns, dataset)
    except SchemaMismatchError as error:
        new.create_view(_RESULT)
        return CheckResult("write", f"write(mode: {write.mode})", "fail", message=str(error))
    fitted.create_view("new")
    kept = connection.table("published")
    if write.mode == "merge":
        matches = " and ".join(f"published.{quote(k)} = new.{quote(k)}" for k in write.keys)
        kept = kept.join(connection.table("new"), matches, "anti")
    kept.union(connection.table("new")).create_view(_RESULT)
    return None


def _check_columns(promised: Mapping[str, str], rows: Rows) -> CheckResult:
    found = rows.columns
    complaints = [
        f"{name} is missing{_did_you_mean(name, found)}" for name in promised if name not in found
    ]
    complaints += [
        f"{name} ({found[name]}) is not declared" for name in found if name not in promised
    ]
    for name in promised.keys() & found.keys():
        try:
            wanted = engine.canonical_type(promised[name])
        except engine.UnknownTypeError as error:
            complaints.append(f"{name}: {error}")
            continue
        if wanted != found[name]:
            complaints.append(f"{name} is {found[name]} instead of {wanted}")
    description = f"columns({', '.join(promised)})"
    if not complaints:
        return CheckResult("columns", description, "pass")
    return CheckResult("columns", description, "fail", message="; ".join(complaints))


@dataclass(frozen=True)
class _Finding:
    failing_rows: int = 0
    message: str = ""
    sample: tuple[dict[str, Any], ...] = ()


class _UnusableCheckError(Exception):
    """A check that cannot run on these columns."""


class _Checker:
    """Runs checks on the view `result` of one connection."""

    def __init__(self, connection: DuckDBPyConnection, now: datetime) -> None:
        self.connection = connection
        self.now = now
        self.result = connection.table(_RESULT)
        self.columns = self.result.columns
        self.rows = 0

    def run(self, checks: Sequence[Check]) -> list[CheckResult]:
        counted = self._count_together(checks)
        return [self._run(check, counted.get(number)) for number, check in enumerate(checks)]

    def _count_together(self, checks: Sequence[Check]) -> dict[int, int]:
        """The failing rows of every check that looks at rows one by one, in one pass over them."""
        conditions = {
            number: condition.failing
            for number, check in enumerate(checks)
            if (condition := row_condition(check)) is not None
            and not condition.alone
            and not self._unknown_columns(check)
        }
        counts = ["count(*)", *(f"count(*) filter ({sql})" for sql in conditions.values())]
        try:
            [found] = self.result.aggregate(", ".join(counts)).fetchall()
        except duckdb.Error:
            # One of them does not suit its column: each by itself tells which.
            [(self.rows,)] = self.result.aggregate("count(*)").fetchall()
            return {}
        self.rows = found[0]
        return dict(zip(conditions, found[1:], strict=True))

    def _run(self, check: Check, counted: int | None) -> CheckResult:
        description = describe(check)
        try:
            finding = self._find(check, counted)
        except _UnusableCheckError as error:
            return CheckResult(check.check, description, "fail", message=str(error))
        except duckdb.Error as error:
            message = f"cannot run: {str(error).strip()}"
            return CheckResult(check.check, description, "fail", message=message)
        if not finding.message:
            return CheckResult(check.check, description, "pass")
        return CheckResult(
            check.check,
            description,
            "warn" if check.on_fail == "warn" else "fail",
            finding.failing_rows,
            finding.message,
            list(finding.sample),
        )

    def _find(self, check: Check, counted: int | None) -> _Finding:
        if unknown := self._unknown_columns(check):
            raise _UnusableCheckError(
                "; ".join(
                    f"no column {name!r}{_did_you_mean(name, self.columns)}" for name in unknown
                )
                + f"; the columns are {', '.join(self.columns)}"
            )
        match check:
            case Unique():
                return self._repeated(check)
            case RowCount():
                passes = within(check, self.rows)
                return _Finding() if passes else _Finding(message=f"there are {self.rows:,} rows")
            case Freshness():
                return self._age(check)
            case LabelCount():
                return _Finding(message=uneven_labels(self.result, check))
            case Duplicate():
                return self._same_pictures()
        condition = row_condition(check)
        if condition is None:
            raise AssertionError(f"no way to run {check}")
        return self._failing(check, condition, counted)

    def _failing(self, check: Check, condition: RowCondition, counted: int | None) -> _Finding:
        rows = self.connection.sql(
            f"select * from {_RESULT} where {condition.failing}"  # noqa: S608
        )
        if counted is None:
            [(counted,)] = rows.aggregate("count(*)").fetchall()
        if not counted:
            return _Finding()
        first = checked_columns(check)
        if isinstance(check, (Readable, MinSize)) and "path" in self.columns:
            first = ("path", *first)
        return _Finding(counted, f"{counted:,} rows", self._sample(rows, first))

    def _repeated(self, check: Unique) -> _Finding:
        names = ", ".join(quote(name) for name in check.columns)
        known = " and ".join(f"{quote(name)} is not null" for name in check.columns)
        repeated = (
            self.result.filter(known)
            .aggregate(f'{names}, count(*) as "number of rows"', names)
            .filter('"number of rows" > 1')
        )
        [(rows, values)] = repeated.aggregate(
            'coalesce(sum("number of rows"), 0)::bigint, count(*)'
        ).fetchall()
        if not rows:
            return _Finding()
        most = repeated.order('"number of rows" desc')
        return _Finding(rows, f"{rows:,} rows share {values:,} values", self._sample(most, ()))

    def _same_pictures(self) -> _Finding:
        found = same_pictures(self.result)
        if found is None:
            return _Finding()
        shown = [name for name in ("path", "label") if name in self.columns]
        return _Finding(found.rows, found.message, self._sample(found.which, shown))

    def _age(self, check: Freshness) -> _Finding:
        [(newest,)] = self.result.aggregate(f"max({quote(check.column)})").fetchall()
        if newest is None:
            return _Finding(message="there is no time in any row")
        seconds = (self.now - _as_time(newest, check.column)).total_seconds()
        if seconds <= check.max_age:
            return _Finding()
        return _Finding(message=f"the newest is {newest}, {seconds:,.0f} s old")

    def _sample(self, rows: DuckDBPyRelation, first: Sequence[str]) -> tuple[dict[str, Any], ...]:
        order = [*first, *(name for name in rows.columns if name not in first)]
        shown = rows.project(", ".join(quote(name) for name in order)).limit(SAMPLE_ROWS)
        return tuple(dict(zip(order, map(_plain, row), strict=True)) for row in shown.fetchall())

    def _unknown_columns(self, check: Check) -> list[str]:
        return [name for name in checked_columns(check) if name not in self.columns]


def _as_time(value: object, column: str) -> datetime:
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime.combine(value, time())
    if not isinstance(value, datetime):
        raise _UnusableCheckError(
            f"{column} holds {type(value).__name__} instead of times: "
            f"cast it in a transform (`{column}::timestamp`)"
        )
    # Times without a zone are taken for UTC, as everywhere in the lake.
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def _did_you_mean(name: str, known: Sequence[str] | Mapping[str, str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def _plain(value: object) -> object:
    return value if isinstance(value, (bool, int, float, str, type(None))) else str(value)
