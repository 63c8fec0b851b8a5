"""A team that is proposed from a file of data: its dataset, a model, a first test, and what was assumed.

The proposal is tried in a folder of its own: the dataset's source reads all rows, its checks look at them.
"""

import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from factory.base.errors import FactoryError, TerminalError
from factory.base.section import DATA_FOLDERS
from factory.base.texts import shown
from factory.data.profile.proposal import flow

if TYPE_CHECKING:
    from factory.data.profile.inspection import Inspection
    from factory.data.profile.questions import DateQuestion
    from factory.data.rows import Rows
    from factory.data.sources.csv import CsvSource
    from factory.lake.table import Lake
    from factory.team.team import TeamConfig
    from factory.testing.cases import Case

_DOUBTFUL = frozenset({
    "numbers_as_text", "dates_as_text", "dates_as_numbers", "missing_as_text", "missing_as_number", "spelling",
})  # fmt: skip
"""Suspicions that are answered in the source or by a transform."""
_CUTS = ("skip", "skip_footer", "comment")
"""What is said of a file that leaves lines of it out."""
_FEW = 50
"""With fewer rows the guard `min_rows` keeps a model out of production."""
_TEST_ROWS = 5
"""Rows of the data that become the first test."""


@dataclass(frozen=True)
class TeamProposal:
    """A team's files, and what a person should know of them."""

    team: str
    dataset: str
    model: str | None
    """None where no column to predict was named."""
    texts: Mapping[str, str | bytes]
    """Of the team's file and its test, by path below the project."""
    data: str
    """Where the data are to lie, below the project."""
    rows: int
    assumed: Mapping[str, str]
    question: "DateQuestion | None"
    """What has to be answered before anything can run."""
    question_line: int
    """Where the team's file asks it; 0 where there is none."""
    doubts: Sequence[tuple[int, str]]
    """What may turn out to be otherwise: a line of the team's file, what was found there, and what to write."""

    @property
    def is_small(self) -> bool:
        """Whether so few rows may let no model go live."""
        return self.rows < _FEW

    @property
    def team_file(self) -> str:
        """The path of the team's file."""
        return f"configs/{self.team}.yaml"


def propose_team(file: Path, target: str | None, team: str | None, scratch: Path) -> TeamProposal:
    """A team that publishes a file as a dataset and, if a column is named, learns to predict it.

    Args:
        file: The data.
        target: The column to predict.
        team: The team's name; as the file if left out.
        scratch: An empty folder to try the proposal in.

    Raises:
        FactoryError: The data cannot be read, or the column cannot be predicted; says why.
    """
    from factory.starter_project.model_proposal import propose_model
    from factory.testing.cases import EXPECTED, Case, run_rows

    data = f"{DATA_FOLDERS[0]}/{_plain_name(file.name)}"
    copy = scratch / data
    copy.parent.mkdir()
    shutil.copyfile(file, copy)
    found = _inspected(copy, team, scratch)
    config = _read(found.yaml, found.question, scratch)
    [dataset] = config.datasets
    case = Case.of(config, dataset, scratch)
    rows = _ingested(case, scratch)
    work, lake = scratch / "work", _lake(scratch)
    made = run_rows(case, rows, scratch, lake, {}, work)
    assumed = {
        name: said.reason for name in _CUTS if (said := found.dialect.get(name)) and said.value
    }
    text, model = found.yaml, None
    if target is not None:
        proposal = propose_model(found, made.rows, dataset, target)
        model = proposal.name
        assumed |= proposal.assumed
        text += f"models:\n{proposal.section}"
        _read(text, found.question, scratch)
        if made.rows.rows < _FEW:
            assumed["rows"] = (
                f"{made.rows.rows} are few: no model goes live that has learned from fewer than 30, or was "
                "tested on fewer than 10"
            )
    for failed in made.report.failures:
        assumed[failed.description] = f"fails on these data: {failed.message}"
    question = found.question
    line = 0 if question is None else _line(text, f'{question.field}: "')
    texts: dict[str, str | bytes] = {
        f"configs/{config.team}.yaml": text,
        **_test(copy, case, scratch),
    }
    if question is not None:
        # What comes out depends on the answer.
        texts = {path: one for path, one in texts.items() if not path.endswith(EXPECTED)}
    return TeamProposal(
        config.team, dataset, model, texts, data, made.rows.rows, assumed, question, line,
        tuple(_doubts(found, text)),
    )  # fmt: skip


def _doubts(found: "Inspection", text: str) -> Iterator[tuple[int, str]]:
    """What inspecting has left in doubt about columns, by the line that declares each."""
    asked = found.question.columns if found.question else ()
    for one in found.suspicions:
        if one.kind in _DOUBTFUL and one.column not in asked:
            line = _line(text, f"      {flow(one.column.strip())}: ")
            yield line, f"{shown(one.column)}: {one.text}; {one.advice}"


def _line(text: str, start: str) -> int:
    """The first line that has a text; that of `columns` where none has."""
    lines = text.splitlines()
    columns = lines.index("    columns:") + 1
    return next((n for n, one in enumerate(lines, 1) if start in one), columns)


def _plain_name(name: str) -> str:
    """A file's name without what a path in a team file takes for a pattern, and not hidden."""
    return re.sub(r"[^\w. -]", "_", name).lstrip(".") or "data"


def _inspected(copy: Path, team: str | None, scratch: Path) -> "Inspection":
    from contextlib import nullcontext

    from factory.data.profile.targets import Asked, Project, inspect

    project = Project(scratch, DATA_FOLDERS, (), lambda: nullcontext(_lake(scratch)))
    found = inspect([str(copy)], Asked(team=team, asks=True), project)
    if not found.rows:
        raise TerminalError(f"{copy.name} has no rows")
    return found


def _lake(scratch: Path) -> "Lake":
    from factory.lake import table

    return table.Lake((scratch / "lake").as_uri())


def _read(text: str, question: "DateQuestion | None", scratch: Path) -> "TeamConfig":
    """The team of a file's text; what it asks is answered somehow, to try the rest.

    Raises:
        ReadFailed: The text has a problem.
    """
    from factory.catalog.project import read_one
    from factory.data.sources.text_dialect import OPEN

    if question is not None:
        text = text.replace(
            f'{question.field}: "{OPEN}"', f"{question.field}: '{question.formats[0]}'"
        )
    team = re.search(r"^team: (\w+)", text, re.MULTILINE)
    assert team  # noqa: S101 - the proposal writes it
    configs = scratch / "configs"
    configs.mkdir(exist_ok=True)
    (configs / f"{team[1]}.yaml").write_text(text, encoding="utf-8")
    read = read_one(configs, team[1], None)
    assert read is not None  # noqa: S101 - it has just been written
    return read[1].team


def _ingested(case: "Case", scratch: Path) -> "Rows":
    from factory.data.folders import DataFolders
    from factory.data.sources.source import IngestContext

    work = scratch / "work"
    work.mkdir()
    dataset = case.dataset
    return dataset.source.ingest(
        IngestContext(
            folders=DataFolders(scratch, DATA_FOLDERS),
            workspace=work,
            team=case.team.team,
            lake=_lake(scratch),
            columns={} if dataset.transforms else (dataset.columns or {}),
        )
    )


def _test(copy: Path, case: "Case", scratch: Path) -> dict[str, str | bytes]:
    """The first test of the dataset, by path; none where a few rows cannot be cut out of the file."""
    from factory.data.sources.csv import CsvSource
    from factory.testing.cases import EXPECTED, INPUT, TESTS, run_case
    from factory.testing.comparison import write_expected

    source = case.dataset.source
    case.folder.mkdir(parents=True)
    file = case.folder / f"{INPUT}.csv"
    if not isinstance(source, CsvSource):
        _write_first_rows(scratch / "work", file)
    elif copy.suffix in (".gz", ".zst", ".bz2"):
        return {}
    else:
        # As it is read: in the file's own encoding.
        file.write_text(_first_lines(copy, source), encoding=source.encoding, newline="")
    work = scratch / "test"
    work.mkdir()
    try:
        outcome = run_case(case, scratch, {}, work)
    except FactoryError:
        # Such as where a quoted text goes on in the next line.
        return {}
    write_expected(outcome.rows, case.expected)
    below = f"{TESTS}/{case.team.team}/{case.name}"
    return {
        f"{below}/{INPUT}.csv": file.read_bytes(),
        f"{below}/{EXPECTED}": case.expected.read_bytes(),
    }


def _first_lines(copy: Path, source: "CsvSource") -> str:
    """The beginning of a CSV file: what is above its rows, and a few of them."""
    wanted = source.skip + source.header + _TEST_ROWS + source.skip_footer
    with copy.open(encoding=source.encoding, newline="") as file:
        return "".join(islice(file, wanted))


def _write_first_rows(work: Path, file: Path) -> None:
    """A few of the rows that a source of other files has given, as plain CSV."""
    from factory.data.rows import write_rows
    from factory.lake import engine
    from factory.testing.comparison import write_expected

    with engine.connect(work) as connection:
        engine.create_view(connection, "source", [work / "source.parquet"])
        rows = write_rows(connection.table("source").limit(_TEST_ROWS), work / "first.parquet")
    write_expected(rows, file)
