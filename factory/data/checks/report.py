"""What checks found, for the log, for the asset event and for people."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Self

from factory.base.errors import TerminalError
from factory.base.texts import quoted_if_needed

_CELL_WIDTH = 40
_SAMPLE_COLUMNS = 12


@dataclass(frozen=True)
class CheckResult:
    """One check's outcome."""

    name: str
    """dbt's name, such as `not_null`; `columns` and `write` are the ones that need no writing."""
    description: str
    status: Literal["pass", "warn", "fail"]
    failing_rows: int = 0
    """How many rows do not pass; 0 where a check is about the table as a whole."""
    message: str = ""
    """What was found, unless the check passed."""
    sample: list[dict[str, Any]] = field(default_factory=list)
    """Up to five of the failing rows."""
    is_broken: bool = False
    """Whether the check itself is wrong, so that it has said nothing about the rows."""


@dataclass(frozen=True)
class CheckReport:
    """The outcome of every check, in the order in which they are written."""

    results: tuple[CheckResult, ...]
    rows: int
    """The rows that were checked: what the dataset would contain once published."""

    @property
    def failures(self) -> tuple[CheckResult, ...]:
        """The checks that halt the run."""
        return tuple(result for result in self.results if result.status == "fail")

    @property
    def warnings(self) -> tuple[CheckResult, ...]:
        """The checks that failed and only warn."""
        return tuple(result for result in self.results if result.status == "warn")

    def as_event(self) -> dict[str, Any]:
        """The summary that an asset event carries: small JSON, without any row."""
        return {
            "rows": self.rows,
            "passed": sum(result.status == "pass" for result in self.results),
            "warned": [_short(result) for result in self.warnings],
            "failed": [_short(result) for result in self.failures],
        }

    def as_json(self) -> dict[str, Any]:
        """The report for the next task, samples left out."""
        return {
            "rows": self.rows,
            "results": [{**asdict(result), "sample": []} for result in self.results],
        }

    @classmethod
    def from_json(cls, report: Mapping[str, Any]) -> Self:
        """The report that another task has handed on."""
        return cls(tuple(CheckResult(**result) for result in report["results"]), report["rows"])

    def as_text(self) -> str:
        """One line a check, and below the ones that failed a table of failing rows."""
        return "\n".join(
            [f"{len(self.results)} checks of {self.rows:,} rows"]
            + [line for result in self.results for line in _lines(result)]
        )


class CheckFailedError(TerminalError):
    """At least one halting check failed; `report` has all of them."""

    def __init__(self, dataset: str, report: CheckReport) -> None:
        failed = "; ".join(f"{r.description}: {r.message}" for r in report.failures)
        broken = [r.description for r in report.failures if r.is_broken]
        advice = []
        if len(broken) < len(report.failures):
            advice.append(
                "Correct the rows in their source or in a transform, or set `on_fail: warn` on a check that may fail"
            )
        if broken:
            advice.append(
                f"Correct the check in the team file, which cannot run on these columns: {', '.join(broken)}"
            )
        super().__init__(
            f"{dataset}: {len(report.failures)} of {len(report.results)} checks failed, nothing "
            f"was published: {failed}. {'. '.join(advice)}"
        )
        self.report = report


def _short(result: CheckResult) -> dict[str, Any]:
    return {"check": result.description, "failing_rows": result.failing_rows}


def _lines(result: CheckResult) -> list[str]:
    mark = {"pass": "ok  ", "warn": "WARN", "fail": "FAIL"}[result.status]
    found = f": {result.message}" if result.message else ""
    return [f"  {mark} {result.description}{found}", *_table(result.sample)]


def _table(sample: list[dict[str, Any]]) -> list[str]:
    if not sample:
        return []
    names = list(sample[0])
    shown = names[:_SAMPLE_COLUMNS]
    cells = [[_cell(name) for name in shown]]
    cells += [[_cell(row[name]) for name in shown] for row in sample]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "         "
        + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]
    if len(names) > len(shown):
        lines.append(f"         ({len(names) - len(shown)} more columns)")
    return lines


def _cell(value: object) -> str:
    text = "null" if value is None else quoted_if_needed(str(value))
    return text if len(text) <= _CELL_WIDTH else f"{text[: _CELL_WIDTH - 1]}…"
