"""A dataset's source, transforms and checks on the small inputs of one folder, `tests/<team>/<dataset>`."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from factory.base.errors import TerminalError
from factory.base.section import Section, qualify

if TYPE_CHECKING:
    from factory.data.checks.check import Check
    from factory.data.checks.report import CheckReport
    from factory.data.dataset import Dataset
    from factory.data.rows import Rows
    from factory.data.sources.files import FileSource
    from factory.lake.table import Lake
    from factory.team.team import TeamConfig

TESTS = "tests"
"""The project's folder of tests."""
INPUT = "input"
"""The file, whatever its suffix, whose rows stand for those of the dataset's own source."""
EXPECTED = "expected.csv"
"""The file with the rows that come out."""
DAY = datetime(2024, 1, 1, tzinfo=UTC)
"""The logical date that templates are filled with."""

_FORMATS = {".csv": "csv", ".json": "json", ".parquet": "parquet"}


class UnusableTestError(TerminalError):
    """A test that cannot be run: an input is missing, or cannot be read."""


@dataclass(frozen=True)
class Case:
    """The small inputs of one dataset, and the rows that are expected of them."""

    team: "TeamConfig"
    name: str
    """The dataset's, without the team's."""
    folder: Path

    @classmethod
    def of(cls, team: "TeamConfig", name: str, project: Path) -> "Case":
        """The test of a dataset, whether or not somebody has written it."""
        return cls(team, name, project / TESTS / team.team / name)

    @property
    def dataset(self) -> "Dataset":
        """The section."""
        return self.team.datasets[self.name]

    @property
    def full_name(self) -> str:
        """`team.dataset`."""
        return f"{self.team.team}.{self.name}"

    @property
    def expected(self) -> Path:
        """The file with the expected rows.

        Raises:
            UnusableTestError: It is a link that leads elsewhere.
        """
        return self._below(self.folder / EXPECTED)

    @property
    def is_written(self) -> bool:
        """Whether there is any input."""
        return any((self.folder / f"{INPUT}{end}").is_file() for end in _FORMATS)

    def input_of(self, stem: str) -> Path:
        """The file of an input.

        Raises:
            UnusableTestError: It is not there, or is a link that leads elsewhere.
        """
        for end in _FORMATS:
            if (file := self.folder / f"{stem}{end}").is_file():
                return self._below(file)
        raise UnusableTestError(
            f"{self.full_name}: {self.folder / stem}.csv is not there: write the rows into it that "
            f"{'its source gives' if stem == INPUT else 'it reads'}"
        )

    def _below(self, file: Path) -> Path:
        """The file, which must lie among the project's tests: what comes out of it is shown."""
        tests = self.folder.parents[1]
        if not file.resolve().is_relative_to(tests.parent.resolve() / tests.name):
            raise UnusableTestError(f"{file} leads outside of {tests}: copy the file")
        return file


@dataclass(frozen=True)
class Outcome:
    """What came of the inputs."""

    rows: "Rows"
    report: "CheckReport"
    """What the checks that were run have found."""
    left_out: tuple[str, ...] = field(default=())
    """What a few rows say nothing about, in words: checks of all rows, and a `load`."""


def run_case(
    case: Case, project: Path, columns: Mapping[str, Mapping[str, str]], scratch: Path
) -> Outcome:
    """Run a dataset's transforms and checks on the inputs of its test.

    Args:
        case: Its test.
        project: The project's folder.
        columns: Types of the columns of other datasets, by full name, where they are declared.
        scratch: An empty folder for what is made on the way.

    Raises:
        UnusableTestError: An input is missing.
        FactoryError: An input cannot be read, or a transform fails on it.
    """
    from factory.data.sources.source import KnownTypes
    from factory.lake.table import Lake

    dataset = case.dataset
    # Not with transforms: they may make other types of the columns.
    promised = {} if dataset.transforms else (dataset.columns or {})
    own = case.input_of(INPUT)
    rows = _reader(own, dataset).read_files(
        [own], project, scratch / "source.parquet", KnownTypes(promised)
    )
    lake = Lake((scratch / "lake").as_uri())
    # The rows of a source `dataset` are in `input` already.
    checked = (name for check in dataset.checks for name in check.references().values())
    others = {qualify(name, case.team.team) for name in (*dataset.reads, *checked)}
    versions = {
        name: _publish(case, name, columns.get(name, {}), lake, scratch) for name in sorted(others)
    }
    return run_rows(case, rows, project, lake, versions, scratch)


def run_rows(
    case: Case,
    rows: "Rows",
    project: Path,
    lake: "Lake",
    versions: Mapping[str, int],
    scratch: Path,
) -> Outcome:
    """Run a dataset's transforms and checks on rows.

    Args:
        case: The dataset.
        rows: What its source has given.
        project: The folder that SQL files are read from.
        lake: Where the datasets that it reads lie.
        versions: The version of each.
        scratch: A folder for what is made on the way.

    Raises:
        FactoryError: A transform fails on them.
    """
    from pydantic import TypeAdapter

    from factory.data.checks.check import AnyCheck
    from factory.data.checks.report import CheckFailedError
    from factory.data.checks.run import check
    from factory.data.folders import DataFolders
    from factory.data.transforms.run import transform
    from factory.data.transforms.transform import AnyTransform, Reach

    dataset, team = case.dataset, case.team.team
    steps = [_filled(step.for_document(project)) for step in dataset.transforms]
    made = transform(
        TypeAdapter(tuple[AnyTransform, ...]).validate_python(steps),
        rows,
        workspace=scratch,
        lake=lake,
        versions=versions,
        team=team,
        reach=Reach(DataFolders(project, (".",))),
    )
    run, left_out = _of_few_rows(dataset.checks)
    checks = [_filled(one.with_full_names(team)) for one in run]
    try:
        report = check(
            TypeAdapter(tuple[AnyCheck, ...]).validate_python(checks),
            made,
            columns=dataset.columns,
            write=dataset.write,
            lake=lake,
            dataset=case.full_name,
            versions=versions,
        )
    except CheckFailedError as error:
        report = error.report
    load = ("load",) if dataset.load else ()
    return Outcome(made, report, (*left_out, *load))


def _reader(file: Path, dataset: "Dataset | None" = None) -> "FileSource":
    """What reads an input; a CSV file of a source `csv` is written as that source has it."""
    from factory.data.sources.csv import CsvSource
    from factory.data.sources.json import JsonSource
    from factory.data.sources.parquet import ParquetSource

    form = _FORMATS[file.suffix]
    kinds: dict[str, type[FileSource]] = {
        "csv": CsvSource, "json": JsonSource, "parquet": ParquetSource,
    }  # fmt: skip
    if dataset is not None and isinstance(dataset.source, kinds[form]):
        return dataset.source
    return kinds[form].model_validate({"type": form, "path": file.name})


def _publish(case: Case, name: str, types: Mapping[str, str], lake: "Lake", scratch: Path) -> int:
    """Put the rows of another dataset where transforms and checks read it; the version."""
    from factory.data.sources.source import KnownTypes
    from factory.lake.publishing import publish
    from factory.lake.write import Write

    file = case.input_of(name)
    rows = _reader(file).read_files(
        [file], case.folder, scratch / f"{name}.parquet", KnownTypes(types)
    )
    return publish(lake, name, rows.file, Write(), run_id="test").snapshot.version


def _of_few_rows(checks: "tuple[Check, ...]") -> "tuple[list[Check], tuple[str, ...]]":
    """The checks that a few rows can pass or fail, and what the others are."""
    run = [one for one in checks if not one.needs_all_rows]
    return run, tuple(one.describe() for one in checks if one.needs_all_rows)


def _filled(section: Section) -> dict[str, Any]:
    """A section as plain data, its templates filled in with the day of tests."""
    filled: dict[str, Any] = _fill(section.model_dump(mode="json", exclude_defaults=True))
    return filled


def _fill(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _fill(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_fill(one) for one in value]
    if not isinstance(value, str) or ("{{" not in value and "{%" not in value):
        return value
    from jinja2 import StrictUndefined, TemplateError
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    try:
        environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined)
        return environment.from_string(value).render(dict(_names()))
    except TemplateError as error:
        raise UnusableTestError(
            f"the template {value!r} cannot be filled in by a test: {error}. Tests know the dates of a "
            "run, `run`, `run_id` and no param"
        ) from error


def _names() -> Iterator[tuple[str, Any]]:
    """What templates may name in a test: the dates of a daily run at midnight, and the run."""
    from factory.team.template_rules import OF_DATED_RUNS

    run = SimpleNamespace(
        id="test", dag_id="test", task_id="test", try_number=1, time=DAY, date=f"{DAY:%Y-%m-%d}"
    )
    yield from {"run": run, "run_id": "test", "params": {}}.items()
    dates = {
        "data_interval_start": DAY,
        "data_interval_end": DAY + timedelta(days=1),
        "logical_date": DAY,
        "ds": f"{DAY:%Y-%m-%d}",
        "ds_nodash": f"{DAY:%Y%m%d}",
        "ts": DAY.isoformat(),
        "ts_nodash": f"{DAY:%Y%m%dT%H%M%S}",
        "ts_nodash_with_tz": f"{DAY:%Y%m%dT%H%M%S%z}",
    }
    yield from ((name, dates.get(name)) for name in OF_DATED_RUNS)
