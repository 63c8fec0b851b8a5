"""Everything that is found in files, behind an address, or in a snapshot."""

import itertools
import re
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from factory.base.texts import in_quotes, shown
from factory.data.profile.facts import ColumnFacts, facts_of
from factory.data.profile.proposal import Described, comment, team_file
from factory.data.profile.questions import DateQuestion, date_question
from factory.data.profile.reasons import doubt_of_dates, doubt_of_format, doubt_of_reading, reason
from factory.data.profile.suspicions import SAMPLE, Doubtful, Suspicion, suspicions

if TYPE_CHECKING:
    import pandas as pd
    from duckdb import DuckDBPyConnection

    from factory.data.profile.csv_files import CsvReading
    from factory.data.profile.samples import Sample
    from factory.data.rows import Rows
    from factory.lake.table import Lake

Format = Literal["csv", "json", "parquet", "excel", "fixed_width", "snapshot"]
MOST_BYTES = 200_000_000
"""How much of text files is read, counted once they are unpacked."""
MOST_ROWS = 1_000_000
MOST_ROWS_OF_WORKBOOKS = 50_000
"""How many rows of each workbook are read, which takes longer than other files."""
_MOST_CELLS = 4_000_000
"""Values that are compared in memory."""
_MOST_COLUMNS = 300
"""Columns that are looked at one by one; the others are declared only."""


@dataclass(frozen=True)
class Limits:
    """How much is read of what was named."""

    bytes: int = MOST_BYTES
    rows: int = MOST_ROWS
    rows_of_workbooks: int = MOST_ROWS_OF_WORKBOOKS


@dataclass(frozen=True)
class Column:
    """One column: what it is, why, and its values."""

    name: str
    kind: str
    """Its DuckDB type."""
    reason: str
    """What tells that it is of this type."""
    facts: ColumnFacts | None
    """None where there are too many columns to look at each."""


@dataclass(frozen=True)
class Said:
    """How text is written in one respect."""

    value: Any
    reason: str
    """What tells so."""


@dataclass(frozen=True)
class Inspection:
    """What was found."""

    label: str
    """What was looked at, as a person has named it."""
    format: Format
    size: int | None
    """Bytes, as they lie there."""
    files: int
    rows: int
    """Rows that were looked at."""
    is_whole: bool
    """Whether these are all."""
    columns: Sequence[Column]
    dialect: Mapping[str, Said]
    """How text is written, by the fields of `source` that matter."""
    suspicions: Sequence[Suspicion]
    yaml: str
    """A team file with one dataset that reads it."""
    question: DateQuestion | None = None
    """What the YAML asks."""
    notes: Sequence[str] = field(default_factory=tuple)
    """What a reader should know about all of it."""

    def as_json(self) -> dict[str, Any]:
        """Everything as plain JSON values; numbers that JSON has not are null."""
        plain: dict[str, Any] = _finite(asdict(self))
        return plain


@dataclass(frozen=True)
class Named:
    """How what is looked at is named, and how a team would name it."""

    label: str
    source: Mapping[str, Any]
    """`source` of a dataset that reads it, without what is found out about its text."""
    team: str
    dataset: str
    notes: Sequence[str] = ()
    """What must be done before a run can read it."""
    asks: bool = False
    """Whether the YAML asks how dates are to be read that can be in several ways; else they stay text."""


def inspect_files(
    paths: Sequence[Path],
    form: Format,
    named: Named,
    limits: Limits,
    scratch: Path,
) -> Inspection:
    """Look at files of one format.

    Args:
        paths: At least one.
        form: How they are written.
        named: Their name, and the source that reads them.
        limits: How much to read.
        scratch: A folder for copies.

    Raises:
        TerminalError: They cannot be read as one table; says where and why.
    """
    size = sum(path.stat().st_size for path in paths)
    if form in ("csv", "excel", "fixed_width"):
        return _inspect_texts(paths, form, named, limits, scratch, size)
    from factory.data.sources.json import JsonSource
    from factory.data.sources.parquet import ParquetSource
    from factory.data.sources.source import KnownTypes

    reader = JsonSource if form == "json" else ParquetSource
    source = reader.model_validate({"type": form, "path": "data"})
    rows = source.read_files(
        paths, paths[0].parent, scratch / "rows.parquet", KnownTypes(), most_rows=limits.rows
    )
    looked = _Looked(named, form, size, len(paths), rows, is_whole=rows.rows < limits.rows)
    return _inspection(looked, {}, {}, {}, ())


def inspect_snapshot(
    lake: "Lake", dataset: str, version: int | None, named: Named, limits: Limits, scratch: Path
) -> Inspection:
    """Look at a snapshot of a dataset.

    Args:
        lake: Where it is.
        dataset: Its full name.
        version: Its version; the newest when left out.
        named: Its name, and the source that reads it.
        limits: How much to read.
        scratch: A folder for copies.

    Raises:
        NoSnapshotError: There is none.
    """
    from factory.data.rows import write_rows
    from factory.lake import engine

    snapshot = lake.newest(dataset) if version is None else lake.snapshot(dataset, version)
    with engine.connect(scratch) as connection:
        engine.create_view(connection, "published", lake.rows(dataset, snapshot.version))
        rows = write_rows(
            connection.table("published").limit(limits.rows), scratch / "rows.parquet"
        )
    looked = _Looked(named, "snapshot", None, 1, rows, is_whole=rows.rows < limits.rows)
    notes = (f"version {snapshot.version}, published {snapshot.published_at}",)
    return _inspection(looked, {}, {}, {}, notes)


@dataclass(frozen=True)
class _Looked:
    """Rows that were read, and where from."""

    named: Named
    format: Format
    size: int | None
    files: int
    rows: "Rows"
    is_whole: bool


def _inspect_texts(
    paths: Sequence[Path], form: Format, named: Named, limits: Limits, scratch: Path, size: int
) -> Inspection:
    import duckdb

    from factory.data.profile.samples import sample
    from factory.data.sources.object_stores import UnreadableFileError
    from factory.data.sources.source import KnownTypes
    from factory.lake import engine

    copies = None if form == "excel" else sample(paths, scratch, limits.bytes)
    files = paths if copies is None else copies.files
    looked_at = min(limits.rows, limits.rows_of_workbooks) if copies is None else None
    try:
        with (
            engine.connect(scratch) as connection,
            tempfile.TemporaryDirectory(dir=scratch) as folder,
        ):
            reading = _reading(form, paths, copies, Path(folder), connection, looked_at)
        rows = reading.source.read_files(
            files,
            scratch,
            scratch / "rows.parquet",
            KnownTypes(reading.declared),
            most_rows=limits.rows,
            looked_at=looked_at,
        )
    except (duckdb.Error, UnreadableFileError) as error:
        raise UnreadableFileError(_explained(error, named.label)) from error
    is_whole = rows.rows < min(limits.rows, looked_at or limits.rows)
    notes, packing = [], {}
    if copies is not None:
        is_whole &= copies.is_whole and not copies.left_out
        packing = _packing(copies.packing, paths)
        if copies.left_out:
            notes.append(f"{copies.left_out:,} more files were not looked at")
    if reading.layout.is_aligned:
        notes.append(
            "columns are lined up by several blanks: `--format fixed_width` finds the places where they stand"
        )
    if form == "fixed_width":
        notes.append("columns without a blank between them cannot be told apart: correct `fields`")
    doubts, reasons = _told_by_csv(reading)
    found = {} if copies is None else {"compression": copies.packing}
    if form == "csv":
        found["delimiter"] = reading.layout.delimiter
    return _inspection(
        _Looked(named, form, size, len(paths), rows, is_whole),
        {"options": {**reading.options, **packing}, "reasons": reading.reasons, "found": found},
        doubts,
        reasons,
        notes,
        date_question(reading) if named.asks else None,
    )


def _reading(
    form: Format,
    paths: Sequence[Path],
    copies: "Sample | None",
    scratch: Path,
    connection: "DuckDBPyConnection",
    looked_at: int | None,
) -> "CsvReading":
    from factory.data.profile.csv_files import read_csv_files
    from factory.data.profile.other_texts import read_fixed_width, read_workbooks

    if copies is None:
        return read_workbooks(paths, scratch, connection, looked_at or MOST_ROWS_OF_WORKBOOKS)
    read = read_csv_files if form == "csv" else read_fixed_width
    return read(copies, scratch, connection)


def _explained(error: Exception, label: str) -> str:
    """What is wrong with a file, without the names that its copy has here and DuckDB's own options."""
    text = re.split(r"\n\s*(?:Possible|file = |LINE \d+:)|\n\n", str(error))[0]
    text = re.sub(r"\S*sample\d+/", "", text.strip())
    return text if text.startswith(Path(label).name) else f"{label}: {text}"


def _packing(packed: str | None, paths: Sequence[Path]) -> dict[str, str]:
    """`compression`, where the file's name does not tell it."""
    by_name = {".gz": "gzip", ".zst": "zstd", ".bz2": "bz2"}.get(paths[0].suffix)
    return {} if packed == by_name else {"compression": packed or "none"}


def _told_by_csv(reading: "CsvReading") -> tuple[dict[str, Doubtful], dict[str, str]]:
    """What is in doubt about columns, and why they are read as they are."""
    doubts = {
        name: doubt_of_reading(one.doubt) for name, one in reading.readings.items() if one.doubt
    }
    doubts |= {name: doubt_of_dates(error) for name, error in reading.ambiguous.items()}
    doubts |= {
        name: doubt_of_format(value, form) for name, (value, form) in reading.named_dates.items()
    }
    written = {name: _written(name, reading) for name in reading.readings}
    return doubts, {name: told for name, told in written.items() if told}


def _written(name: str, reading: "CsvReading") -> str | None:
    """How the texts of a column are written, where it is not the usual way."""
    settled = reading.settled.get(name)
    nulls = reading.options.get("null_values", ())
    if settled and settled.found and all(value.strip() in nulls for value, _ in settled.found):
        return doubt_of_reading(settled).text
    expression = reading.readings[name].expression
    found = re.search(r"strptime\(.*, '([^']+)'\)", expression)
    if found:
        return f"dates written as {found[1]}"
    if "replace(" in expression and "as double)" in expression:
        example = (
            f" such as {in_quotes(settled.found[0][0], 20)}" if settled and settled.found else ""
        )
        return f"numbers{example}"
    return None


def _inspection(
    looked: _Looked,
    csv: Mapping[str, Mapping[str, Any]],
    doubts: Mapping[str, Doubtful],
    written: Mapping[str, str],
    notes: Iterable[str],
    question: DateQuestion | None = None,
) -> Inspection:
    """Everything about rows that were read.

    Args:
        looked: The rows.
        csv: `options` and `reasons` of CSV files, and what of them is `found` by each run, by field.
        doubts: What is in doubt, by column.
        written: How the texts of columns are written, by column.
        notes: What to say of all of it.
        question: What the YAML asks.
    """
    from factory.lake import engine

    rows = looked.rows
    columns = dict(itertools.islice(rows.columns.items(), _MOST_COLUMNS))
    with engine.connect(rows.file.parent) as connection:
        engine.create_view(connection, "looked", [rows.file])
        facts = facts_of(connection, "looked", columns)
        some = _some_rows(connection, facts)
    found = suspicions(facts, some, doubts)
    by_name = {column.name: column for column in facts}
    told = [
        Column(
            name,
            kind,
            reason(by_name.get(name), kind, doubts.get(name), written.get(name)),
            by_name.get(name),
        )
        for name, kind in rows.columns.items()
    ]
    options = csv.get("options", {})
    described = Described(
        {**looked.named.source, **{key: _listed(value) for key, value in options.items()}},
        {**rows.columns, **(dict.fromkeys(question.columns, question.kind) if question else {})},
        facts,
        found,
        {one.column: comment(one.text) for one in reversed(found)},
        looked.is_whole,
        [comment(note) for note in looked.named.notes],
        {question.field: comment(question.text)} if question else {},
    )
    notes = [*notes]
    if len(rows.columns) > _MOST_COLUMNS:
        notes.append(
            f"the values of the first {_MOST_COLUMNS} columns were looked at, of {len(rows.columns):,}"
        )
    if not looked.is_whole:
        notes.append(
            f"only the first {rows.rows:,} rows were looked at: types and checks hold for them, and `ingest` reads all"
        )
    return Inspection(
        looked.named.label, looked.format, looked.size, looked.files, rows.rows, looked.is_whole, told,
        _dialect(looked.format, csv), found, team_file(described, looked.named.team, looked.named.dataset),
        question, tuple(notes),
    )  # fmt: skip


def _dialect(form: Format, csv: Mapping[str, Mapping[str, Any]]) -> dict[str, Said]:
    from factory.data.sources.csv_dialect import CsvDialect
    from factory.data.sources.excel import ExcelSource
    from factory.data.sources.fixed_width import FixedWidthSource
    from factory.data.sources.text_dialect import ValueDialect

    kinds: dict[Format, type[ValueDialect]] = {
        "csv": CsvDialect, "excel": ExcelSource, "fixed_width": FixedWidthSource,
    }  # fmt: skip
    if form not in kinds:
        return {}
    # Where columns stand before how values are written.
    fields = {
        **{
            name: field
            for name, field in kinds[form].model_fields.items()
            if name not in ValueDialect.model_fields
        },
        **ValueDialect.model_fields,
    }
    reasons = csv["reasons"]
    values = {**{name: fields[name].default for name in fields}, **csv["found"], **csv["options"]}
    return {
        name: Said(_listed(values[name]), reasons.get(name, ""))
        for name in fields
        if name in csv["options"] or name in reasons
    }


def _listed(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _some_rows(connection: "DuckDBPyConnection", facts: Sequence[ColumnFacts]) -> "pd.DataFrame":
    """Rows from all over the table, as many as fit into memory; of long texts the start."""
    from factory.lake.engine import quote

    flat = [column for column in facts if not column.is_nested]
    count = facts[0].rows if facts else 0
    step = max(1, -(-count // min(SAMPLE, _MOST_CELLS // max(len(flat), 1))))
    listed = ", ".join(
        f"left({quote(column.name)}, 1000) as {quote(column.name)}"
        if column.is_text
        else quote(column.name)
        for column in flat
    )
    numbered = "(select *, row_number() over () as rows_before from looked)"
    query = f"select {listed or 'null'} from {numbered} where rows_before % {step} = 0"  # noqa: S608
    some: pd.DataFrame = connection.sql(query).df()
    return some


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value if isinstance(value, (str, int, bool, type(None))) else shown(value, 200)
