"""Samples: the first rows of sources, for a lake of their own."""

import pandas as pd
import pytest

from factory.data.dataset import Dataset
from factory.data.folders import DataFolders
from factory.data.rows import first_rows
from factory.data.sample import VARIABLE, is_sample, sample_rows, variable
from factory.data.sources.source import IngestContext
from tests.data.rows import lake_in, read


def ingested(folder, source: dict, most_rows: int | None, **context):
    given = IngestContext(
        DataFolders(folder), folder, "shop", lake_in(folder), most_rows=most_rows, **context
    )
    return Dataset.model_validate({"source": source}).source.ingest(given)


@pytest.mark.parametrize(("most", "found"), [(2, [1, 2]), (9, [1, 2, 3]), (None, [1, 2, 3])])
def test_files_give_their_first_rows(tmp_path, most, found):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.csv").write_text("n\n1\n2\n3\n")
    rows = ingested(tmp_path, {"type": "csv", "path": "data/a.csv"}, most)
    assert (rows.rows, [n for (n,) in read(rows)]) == (len(found), found)


def test_source_that_knows_nothing_of_samples_is_cut(tmp_path):
    source = {"type": "python", "call": "tests.data.callables.frame"}
    assert ingested(tmp_path, source, 1).rows == 1


def test_pieces_behind_the_first_rows_are_not_asked_for():
    def pieces():
        yield pd.DataFrame({"n": [1, 2]})
        yield pd.DataFrame({"n": [3, 4]})
        pytest.fail("asked for too much")

    assert [piece.num_rows for piece in first_rows(pieces(), "test", 3)] == [2, 1]


def test_no_other_lake_gets_a_sample(monkeypatch):
    monkeypatch.setenv(VARIABLE, variable(10, "file:///p/.factory/sample/lake"))
    assert sample_rows("file:///p/.factory/sample/lake") == 10
    assert sample_rows("s3://real/lake") is None
    assert is_sample()
    monkeypatch.delenv(VARIABLE)
    assert sample_rows("file:///p/.factory/sample/lake") is None
    assert not is_sample()
