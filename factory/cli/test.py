"""`factory test`: what can be known of teams before the merge, in seconds, without a running Airflow."""

import logging
import os
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from factory.base.errors import FactoryError
from factory.base.texts import one_of, shortened, shown
from factory.cli.console import console, errors, plain_table
from factory.cli.options import ProjectOption
from factory.cli.project import healthy_team

if TYPE_CHECKING:
    from factory.catalog import Project
    from factory.testing.cases import Case, Outcome
    from factory.testing.comparison import Comparison, RowDifference

_SHOWN = 20
"""Rows that differ of which the table shows what differs."""


def test(
    teams: Annotated[
        list[str] | None,
        typer.Argument(help="Teams; all when left out.", metavar="[TEAM]…", show_default=""),
    ] = None,
    project: ProjectOption = Path(),
    *,
    update: Annotated[
        bool,
        typer.Option(
            "--update", help="Write what comes out as what is expected: read the changes."
        ),
    ] = False,
    build: Annotated[
        bool,
        typer.Option(
            "--build/--no-build", help="Whether DAGs are built too, for which Airflow is imported."
        ),
    ] = True,
) -> None:
    """Render and build the DAGs of teams, and run their transforms and checks on the small inputs in tests/.

    A dataset's inputs lie in tests/TEAM/DATASET: `input.csv` for what its source gives, `OTHER_TEAM.DATASET.csv`
    for each dataset that it reads, and `expected.csv` with the rows that come out. Nothing is published, and no
    model is trained.

    Exits with 1 when something is wrong or differs.
    """
    from factory.catalog import read_all
    from factory.team.environment import active_environment

    home = project.resolve()
    configs = home / "configs"
    read = read_all(configs, active_environment())
    names = list(dict.fromkeys(teams)) if teams else list(read.teams)
    for name in names:
        healthy_team(read, configs, name)
    failed = 0 if teams else _show_problems(read)
    failed += _show_dags(read, home, names, build=build)
    with _without_log():
        for name in names:
            for dataset in read.teams[name].team.datasets:
                failed += not _show_case(read, home, name, dataset, update=update)
    if failed:
        errors.print(f"\n[bold red]{failed} failed[/]")
        raise typer.Exit(1)


@contextmanager
def _without_log() -> Iterator[None]:
    """Leave out the log's lines of what checks find, which is shown anyway."""
    log = logging.getLogger("factory")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(before)


def _show_problems(read: "Project") -> int:
    found = [one for one in read.problems if not one.is_warning]
    for one in found:
        errors.print(str(one), soft_wrap=True, highlight=False, markup=False)
    return len(found)


def _show_dags(read: "Project", home: Path, teams: Sequence[str], *, build: bool) -> int:
    """Render and build; how many teams have DAGs that cannot be."""
    from factory.documents.compile import compile_team
    from factory.documents.installation import Installation
    from factory.documents.rendering import to_yaml

    installation = Installation.of(read.platform, home)
    found = _build_failures(read, home) if build else {}
    failed = 0
    for name in teams:
        documents = compile_team(read.teams[name].team, installation)
        to_yaml(documents)
        broken = [text for dag_id, text in found.items() if dag_id in documents]
        what = f"{len(documents)} DAG{'s' if len(documents) != 1 else ''}"
        said = f"{what} rendered and built" if build else f"{what} rendered"
        _say(name, said if not broken else "not all of its DAGs can be built", is_right=not broken)
        for text in broken:
            console.print(text, soft_wrap=True, highlight=False, markup=False)
        failed += bool(broken)
    return failed


def _build_failures(read: "Project", home: Path) -> dict[str, str]:
    from factory.runtime.home import Home

    # Airflow writes its settings into this folder as soon as it is imported.
    os.environ.setdefault("AIRFLOW_HOME", str(Home.of(home).foreground.airflow))
    with warnings.catch_warnings():
        # dag-factory imports Airflow's operators by names that are deprecated.
        warnings.simplefilter("ignore")
        from factory.airflow.load import build_failures

        return build_failures(home / "configs", read)


def _show_case(read: "Project", home: Path, team: str, name: str, *, update: bool) -> bool:
    """Run one dataset's test, and say what came of it; whether it is as expected."""
    from factory.testing.cases import Case, run_case

    case = Case.of(read.teams[team].team, name, home)
    place = case.folder.relative_to(home)
    if not case.is_written:
        _say(case.full_name, f"no test: {place}/input.csv is not there", is_right=None)
        return True
    columns = {
        f"{other}.{one}": section.columns or {}
        for other, file in read.catalog.teams.items()
        for one, section in file.team.datasets.items()
    }
    with tempfile.TemporaryDirectory(prefix="factory-test-") as folder:
        try:
            outcome = run_case(case, home, columns, Path(folder))
            return _compare(case, outcome, place, Path(folder), update=update)
        except FactoryError as error:
            _say(case.full_name, str(error), is_right=False)
            return False


def _compare(case: "Case", outcome: "Outcome", place: Path, scratch: Path, *, update: bool) -> bool:
    from factory.testing.comparison import compare, read_expected, text_table, write_expected

    made = text_table(outcome.rows)
    is_right = True
    if update:
        write_expected(outcome.rows, case.expected)
        _say(
            case.full_name, f"{len(made.rows)} rows written to {place}/expected.csv", is_right=True
        )
    elif not case.expected.is_file():
        said = f"{place}/expected.csv is not there: `factory test --update` writes what comes out"
        _say(case.full_name, said, is_right=False)
        is_right = False
    else:
        found = compare(read_expected(case.expected, scratch), made, _keys(case))
        is_right = found.is_equal and not outcome.report.failures
        said = f"{len(made.rows)} rows as expected"
        _say(case.full_name, said if found.is_equal else _told(found), is_right=is_right)
        if found.rows:
            console.print(_table(found))
    for result in (*outcome.report.failures, *outcome.report.warnings):
        level = "warns" if result.status == "warn" else "fails"
        console.print(
            f"    {result.description} {level}: {result.message}",
            soft_wrap=True, highlight=False, markup=False,
        )  # fmt: skip
    if outcome.left_out:
        console.print(
            Text(f"    not of a few rows: {one_of(outcome.left_out)}", style="dim"), soft_wrap=True
        )
    return is_right and not outcome.report.failures


def _keys(case: "Case") -> tuple[str, ...]:
    """The columns that tell rows apart, by what the section says."""
    from factory.data.checks.unique import Unique

    unique = [one.columns for one in case.dataset.checks if isinstance(one, Unique)]
    return case.dataset.write.keys or (unique[0] if unique else ())


def _told(found: "Comparison") -> str:
    parts = [
        *(f"column {name} is missing" for name in found.missing_columns),
        *(f"column {name} is unexpected" for name in found.unexpected_columns),
    ]
    counts = {kind: sum(one.kind == kind for one in found.rows) for kind in ("missing", "unexpected", "changed")}  # fmt: skip
    parts += [f"{count} {kind}" for kind, count in counts.items() if count]
    return f"differs: {', '.join(parts)}"


def _table(found: "Comparison") -> object:
    table = plain_table("", "row", "column", "expected", "came out")
    for one in found.rows[:_SHOWN]:
        for number, cells in enumerate(_lines(one)):
            table.add_row(*(["", ""] if number else [one.kind, _name_of(one)]), *cells)
    if len(found.rows) > _SHOWN:
        table.add_row("…", f"and {len(found.rows) - _SHOWN} more", "", "", "")
    return table


def _lines(one: "RowDifference") -> Iterator[tuple[Text, Text, Text]]:
    if one.kind != "changed":
        yield Text(""), Text(""), Text("")
    for column, value in one.cells.items():
        yield (
            Text(shown(column)),
            Text(_cell(one.row[column]), style="green"),
            Text(_cell(value), style="red"),
        )


def _name_of(one: "RowDifference") -> Text:
    """The start of a row."""
    return Text(shortened(", ".join(_cell(value) for value in one.row.values()), 50))


def _cell(value: str | None) -> str:
    return "null" if value is None else shown(value, 30) or '""'


def _say(name: str, said: str, *, is_right: bool | None) -> None:
    mark = {True: "[green]✓[/]", False: "[red]✗[/]", None: "[yellow]-[/]"}[is_right]
    console.print(mark, Text.assemble((name, "bold"), "  ", said), soft_wrap=True, highlight=False)
