"""Whether a dataset's rows may be published."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import duckdb
from duckdb import DuckDBPyConnection, DuckDBPyRelation

from factory.base.texts import hint, one_of
from factory.data.checks.check import Check, CheckedRows, CheckFinding, UnusableCheckError
from factory.data.checks.report import CheckFailedError, CheckReport, CheckResult
from factory.data.rows import Rows
from factory.data.sql import dataset_tables, sandbox
from factory.lake import engine
from factory.lake.engine import quote
from factory.lake.fitting import evolved, fit
from factory.lake.snapshot import NoSnapshotError, SchemaMismatchError, Snapshot
from factory.lake.table import Lake
from factory.lake.write import Evolve, Write

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
    evolve: Evolve | None = None,
    readers: Callable[[], Sequence[str]] = tuple,
    versions: Mapping[str, int] = MappingProxyType({}),
) -> CheckReport:
    """Check the dataset as it will be once the rows are published.

    Every check runs, whatever the others find. The declared columns, if any, must be exactly those
    of the rows, and rows must fit the published ones as far as these are their contract; both halt.
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
        evolve: What may differ from the newest snapshot's columns: see `Write.evolution`.
        readers: Says who reads the dataset; asked for the error alone.
        versions: The version of every other dataset that checks may read.

    Raises:
        CheckFailedError: when a halting check failed; carries the report.
    """
    published = _published(lake, dataset)
    tables: dict[str, Any] = {"source": [rows.file]}
    if published is not None and write.mode != "replace":
        tables["published"] = lake.rows(dataset, published.version)
    tables |= dataset_tables(lake, _read_by(checks, versions))
    with sandbox(tables, rows.file.parent) as connection:
        implied = [] if columns is None else [_check_columns(columns, rows)]
        contract = _Contract(dataset, published, write, evolve, readers)
        if (misfit := contract.create_result(connection)) is not None:
            implied.append(misfit)
        before = None if published is None else published.rows
        results, count = _run(checks, connection, now or datetime.now(UTC), before)
    report = CheckReport((*implied, *results), count)
    log.log(
        logging.WARNING if report.failures or report.warnings else logging.INFO, report.as_text()
    )
    if report.failures:
        raise CheckFailedError(dataset, report)
    return report


def _read_by(checks: Sequence[Check], versions: Mapping[str, int]) -> Mapping[str, int]:
    """The versions of those datasets that checks read; a query may read all."""
    if any(sql.is_query for check in checks if (sql := check.written_sql()) is not None):
        return versions
    named = {name for check in checks for name in check.references().values()}
    return {name: version for name, version in versions.items() if name in named}


def _published(lake: Lake, dataset: str) -> Snapshot | None:
    try:
        return lake.newest(dataset)
    except NoSnapshotError:
        return None


@dataclass(frozen=True)
class _Contract:
    """The newest snapshot, and what may differ from it."""

    dataset: str
    published: Snapshot | None
    write: Write
    evolve: Evolve | None
    readers: Callable[[], Sequence[str]]

    def create_result(self, connection: DuckDBPyConnection) -> CheckResult | None:
        """Make the view `result`; new rows that do not fit the published ones are checked alone."""
        new = _nan_as_null(connection.table("source"))
        evolve = self.evolve or self.write.evolution(declared=True)
        if self.published is None or evolve is None:
            new.create_view(_RESULT)
            return None
        try:
            columns = evolved(new, self.published.columns, evolve, self.dataset)
        except SchemaMismatchError as error:
            new.create_view(_RESULT)
            return self._misfit(str(error))
        added = [name for name in columns if name not in self.published.columns]
        if added:
            log.warning("%s: new columns: %s", self.dataset, ", ".join(added))
        fitted = fit(new, columns)
        if self.write.mode == "replace":
            fitted.create_view(_RESULT)
            return None
        fitted.create_view("new")
        kept = _nan_as_null(connection.table("published"))
        if self.write.mode == "merge":
            keys = self.write.keys
            matches = " and ".join(f"published.{quote(k)} = new.{quote(k)}" for k in keys)
            kept = kept.set_alias("published").join(connection.table("new"), matches, "anti")
        fit(kept, columns).union(connection.table("new")).create_view(_RESULT)
        return None

    def _misfit(self, message: str) -> CheckResult:
        assert self.published is not None  # noqa: S101 - else there is nothing to fit
        advice = (
            "Bring the rows into the published form in a transform (such as `cast(x as double)`)"
        )
        if self.write.mode == "replace":
            advice += (
                "; or, if the new form is meant, declare it in `columns`, or start one run with the "
                "param `change_columns`"
            )
        else:
            advice += ", or publish once with `write: {mode: replace}` to change the form"
        named = self.readers()
        readers = f" It is read by {one_of(named)}." if named else ""
        version = self.published.version
        return CheckResult(
            "write",
            f"write(mode: {self.write.mode}, upon version {version})",
            "fail",
            message=f"{message}{readers} {advice}",
        )


def _nan_as_null(rows: DuckDBPyRelation) -> DuckDBPyRelation:
    """The rows with null where a float is no number: to a check, neither is a value."""
    floats = [
        name
        for name, kind in zip(rows.columns, rows.types, strict=True)
        if str(kind) in ("FLOAT", "DOUBLE")
    ]
    shown = {
        name: f"case when isnan({quote(name)}) then null else {quote(name)} end" for name in floats
    }
    return rows.project(
        ", ".join(f"{shown.get(name, quote(name))} as {quote(name)}" for name in rows.columns)
    )


def _check_columns(promised: Mapping[str, str], rows: Rows) -> CheckResult:
    found = rows.columns
    complaints = [f"{name} is missing{hint(name, found)}" for name in promised if name not in found]
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


def _run(
    checks: Sequence[Check], connection: DuckDBPyConnection, now: datetime, before: int | None
) -> tuple[list[CheckResult], int]:
    """What each check says of the view `result`, and how many rows it has."""
    names = connection.table(_RESULT).columns
    count, counted = _count_together(checks, connection, names)
    rows = CheckedRows(connection, count, now, before)
    results = [_run_one(check, rows, counted.get(number)) for number, check in enumerate(checks)]
    return results, count


def _count_together(
    checks: Sequence[Check], connection: DuckDBPyConnection, names: Sequence[str]
) -> tuple[int, dict[int, int]]:
    """The number of rows, and of those that fail each check of rows one by one: all in one pass."""
    conditions = {
        number: condition
        for number, check in enumerate(checks)
        if (condition := check.failing()) is not None and not _unknown(check, names)
    }
    counts = ["count(*)", *(f"count(*) filter ({sql})" for sql in conditions.values())]
    result = connection.table(_RESULT)
    try:
        [(count, *failing)] = result.aggregate(", ".join(counts)).fetchall()
    except duckdb.Error:
        # One of them does not suit its column: each by itself tells which.
        [(count,)] = result.aggregate("count(*)").fetchall()
        return count, {}
    return count, dict(zip(conditions, failing, strict=True))


def _run_one(check: Check, rows: CheckedRows, counted: int | None) -> CheckResult:
    description = check.describe()
    try:
        finding = _find(check, rows, counted)
    except UnusableCheckError as error:
        return CheckResult(check.check, description, "fail", message=str(error), is_broken=True)
    except duckdb.Error as error:
        message = f"cannot run: {str(error).strip()}"
        return CheckResult(check.check, description, "fail", message=message, is_broken=True)
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


def _find(check: Check, rows: CheckedRows, counted: int | None) -> CheckFinding:
    names = rows.result.columns
    if unknown := _unknown(check, names):
        raise UnusableCheckError(
            "; ".join(f"no column {name!r}{hint(name, names)}" for name in unknown)
            + f"; the columns are {', '.join(names)}"
        )
    condition = check.failing()
    if condition is None:
        return check.find(rows)
    return rows.failing(condition, check.shown_first(), counted)


def _unknown(check: Check, names: Sequence[str]) -> list[str]:
    return [name for name in check.needed_columns() if name not in names]
