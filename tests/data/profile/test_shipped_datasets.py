"""What `factory inspect` proposes for each table that an installed package ships can be taken as it is."""

import shutil
import sysconfig
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

from factory.catalog import check_project
from tests.data.profile.project import InspectedProject, section
from tests.harness.produce import produce

PACKAGES = Path(sysconfig.get_paths()["purelib"])
TABLES = (".csv", ".csv.gz", ".tsv", ".parquet", ".jsonl", ".ndjson")
# Translations of Tornado's own tests: one line without names.
NO_TABLES = {"fr_FR.csv"}
EVERYDAY = {"iris.csv", "penguins.csv", "digits.csv.gz", "msft.csv", "titanic_reference.csv"}
"""The others take minutes, and differ little."""


def tables() -> list:
    found = sorted(
        file
        for file in PACKAGES.rglob("*")
        if file.name.endswith(TABLES) and file.name not in NO_TABLES
    )
    return [
        pytest.param(
            file,
            id=str(file.relative_to(PACKAGES)),
            marks=() if file.name in EVERYDAY else pytest.mark.nightly,
        )
        for file in found
    ]


@pytest.fixture
def project(tmp_path) -> InspectedProject:
    return InspectedProject(tmp_path)


def second_reading(file: Path, source: dict[str, Any]) -> pd.DataFrame:
    """The file read by pandas, by what the proposed source says of it: each value as its text."""
    return pd.read_csv(
        file,
        sep=source.get("delimiter", ","),
        header=0 if source.get("header", True) else None,
        skiprows=source.get("skip", 0),
        comment=source.get("comment"),
        encoding=source.get("encoding", "utf-8"),
        na_values=source.get("null_values", [""]),
        keep_default_na=False,
        dtype=str,
    )


def typed(texts: pd.Series, kind: str, source: dict[str, Any]) -> pd.Series:
    """The texts of one column as the type that is declared; an error where one is not of it."""
    known = texts.dropna()
    match kind:
        case "BIGINT":
            assert known.str.fullmatch(r" *[+-]?[0-9]+ *").all()
            return known.astype("int64")
        case "DOUBLE":
            assert not known.str.fullmatch(r"[+-]?[0-9]+").all()
            return known.astype("float64")
        case "BOOLEAN":
            return known.str.lower().map({"true": True, "false": False})
        case "DATE" | "TIMESTAMP":
            return pd.to_datetime(known, format=source.get("date_format", "ISO8601"))
        case "VARCHAR":
            numbers = pd.to_numeric(known, errors="coerce")
            assert not len(known) or numbers.isna().any(), "text that is all numbers"
            return known
    raise AssertionError(kind)


@pytest.mark.parametrize("file", tables())
def test_proposal_validates_publishes_and_a_second_reading_confirms_it(file, project):
    # A name that a shell would have, but of one file.
    shutil.copy(file, project.folder / "data" / file.name)
    found = project.inspect(str(project.folder / "data" / file.name))
    dataset = project.accept(found)
    problems = check_project(project.folder / "configs", environment=None, active=None)
    assert not problems, "\n".join(map(str, problems))

    published = produce(project.folder, dataset, project.lake, project.folder / "workspace")

    declared = section(found)["columns"]
    assert published.snapshot.columns == declared
    assert not published.event["checks"]["warned"] + published.event["checks"]["failed"]
    rows = project.lake.scan(dataset, 0).to_table().to_pandas()
    if file.name.endswith(".parquet"):
        assert len(rows) == pq.read_metadata(file).num_rows
        return
    source = section(found)["source"]
    texts = second_reading(file, source)
    assert texts.shape == rows.shape
    for number, (name, kind) in enumerate(declared.items()):
        meant, read = typed(texts.iloc[:, number], kind, source), rows[name].dropna()
        if kind in ("DATE", "TIMESTAMP"):
            read = pd.to_datetime(read).astype(meant.dtype)
        assert meant.reset_index(drop=True).tolist() == read.reset_index(drop=True).tolist(), name

    again = project.inspect(dataset)
    assert {column.name: column.kind for column in again.columns} == declared


def test_packages_ship_tables():
    names = {param.values[0].name for param in tables()}
    assert {
        "iris.csv",
        "penguins.csv",
        "digits.csv.gz",
        "msft.csv",
        "titanic_reference.csv",
    } <= names
