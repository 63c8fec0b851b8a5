"""What `factory.read` and `factory.history` give of a lake; models are in tests/test_first_hour.py."""

import duckdb
import pandas as pd
import pytest

import factory
from factory.lake.publishing import publish
from factory.lake.table import Lake
from factory.lake.write import Write
from factory.notebook import NoProjectError, UnknownNameError

TEAM = """\
version: 1
team: shop
owner: shop@example.org
datasets: {orders: {source: {type: csv, path: data/orders.csv}}}
models:
  late:
    task: classification
    train_on: orders
    target: late
    search: {strategy: grid, candidates: [{estimator: sklearn.linear_model.LogisticRegression, params: {C: [1.0]}}]}
    objective: {metric: f1_macro}
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "configs").mkdir()
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "configs" / "shop.yaml").write_text(TEAM)
    for name in ("FACTORY_PROJECT", "FACTORY_STORAGE"):
        monkeypatch.delenv(name, raising=False)
    lake = Lake((tmp_path / ".factory" / "lake").as_uri())
    for count in (2, 3):
        file = tmp_path / "rows.parquet"
        pd.DataFrame({"id": range(count)}).to_parquet(file)
        publish(lake, "shop.orders", file, Write(), run_id=str(count))
    monkeypatch.chdir(tmp_path / "notebooks")
    return tmp_path


def test_rows_are_those_of_the_newest_snapshot_or_of_a_named_one(project):
    assert factory.read("shop.orders").column("id").to_pylist() == [0, 1, 2]
    assert factory.read("shop.orders", version=0).to_pandas()["id"].tolist() == [0, 1]


def test_duckdb_reads_the_rows_as_they_are(project):
    orders = factory.read("shop.orders")
    assert duckdb.sql("select sum(id) from orders").fetchall() == [(3,)]
    assert orders.num_rows == 3


def test_history_has_a_row_a_snapshot_the_newest_first(project):
    found = factory.history("shop.orders")
    assert found.index.tolist() == [1, 0]
    assert found["rows"].tolist() == [3, 2]


def test_project_is_found_by_its_variable(project, monkeypatch, tmp_path_factory):
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    with pytest.raises(NoProjectError, match="FACTORY_PROJECT"):
        factory.read("shop.orders")
    monkeypatch.setenv("FACTORY_PROJECT", str(project))
    assert factory.read("shop.orders").num_rows == 3


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("shop.order", r"did you mean `shop\.orders`\?"),
        ("shp.orders", r"did you mean `shop`\?"),
        ("orders", r"write `team\.name`"),
        ("shop.late", r"`factory\.champion` loads it"),
    ],
)
def test_what_is_not_there_gets_a_suggestion(project, name, said):
    with pytest.raises(UnknownNameError, match=said):
        factory.read(name)
