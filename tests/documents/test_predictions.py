"""A model's prediction document."""

import pytest
import yaml

from factory.documents.compile import producer_id
from factory.documents.rendering import to_yaml
from tests.documents.test_documents import SOURCE, compile_sea, write_team

MODEL = """\
datasets:
  catches: {{{source}, columns: {{id: BIGINT, length: DOUBLE, weight: DOUBLE}}}}
  weather: {{{source}}}
models:
  weight:
    task: regression
    train_on: {train_on}
    target: weight
    transforms: {transforms}
    search: {{strategy: list, trials: [{{estimator: sklearn.linear_model.Ridge}}]}}
    objective: {{metric: r2}}
    predict: {predict}
"""


@pytest.fixture
def compiled(tmp_path):
    def run(predict: str, *, train_on: str = "catches", transforms: str = "[]") -> dict:
        text = MODEL.format(
            source=SOURCE, predict=predict, train_on=train_on, transforms=transforms
        )
        write_team(tmp_path, text)
        return compile_sea(tmp_path)["sea.weight.predict"]

    return run


def names(assets: list[dict]) -> list[str]:
    return [asset["name"] for asset in assets]


def reads(document):
    return document["default_args"]["shared"]["reads"]


def test_prediction_reads_the_input_and_the_model_and_publishes_one_dataset(compiled):
    document = compiled("{input: catches, keep: [id], batch_rows: 10}")
    tasks = document["tasks"]
    assert list(tasks) == [
        *("open_workspace", "inputs", "predict", "check", "publish", "close_workspace")
    ]
    for reader in ("inputs", "predict"):
        assert names(tasks[reader]["inlets"]) == ["sea.catches", "sea.weight"]
    assert names(tasks["publish"]["outlets"]) == ["sea.weight_predictions"]
    arguments = tasks["predict"]["op_kwargs"]
    assert (arguments["keep"], arguments["batch_rows"]) == (["id"], 10)
    assert set(document["params"]) == {"publish_unchanged", "versions"}


def test_new_rows_or_a_new_champion_start_a_prediction(compiled):
    condition = compiled("{input: catches}")["schedule"]
    assert condition["__type__"] == "airflow.sdk.AssetAny"
    assert names(condition["__args__"]) == ["sea.catches", "sea.weight"]
    assert condition["__args__"][1]["uri"] == "x-mlflow://models/sea.weight"


@pytest.mark.parametrize(
    ("written", "kind", "expected"),
    [
        ("catches", "list", ["sea.catches"]),
        ("weight", "list", ["sea.weight"]),
        ("{all: [catches, weight]}", "list", ["sea.catches", "sea.weight"]),
        ("{any: [weight], cron: 0 3 * * *}", "airflow.sdk.AssetOrTimeSchedule", ["sea.weight"]),
    ],
)
def test_schedule_names_datasets_and_own_models(compiled, written, kind, expected):
    schedule = compiled(f"{{input: catches, schedule: {written}}}")["schedule"]
    found = schedule
    if kind != "list":
        assert schedule["__type__"] == kind
        found = schedule["assets"]["__args__"]
    assert names(found) == expected


def test_schedule_by_time_is_handed_to_airflow(compiled):
    assert compiled("{input: catches, schedule: '@daily'}")["schedule"] == "@daily"


def test_models_transforms_are_applied_unless_there_are_others(compiled):
    own = "[{type: sql, query: select * from source}]"
    arguments = compiled("{input: catches}", transforms=own)["tasks"]["predict"]["op_kwargs"]
    assert arguments["transforms"] == [{"type": "sql", "query": "select * from source"}]
    # They were written for rows that have the target.
    assert arguments["absent"] == {"weight": "DOUBLE"}
    others = compiled("{input: catches, transforms: []}", transforms=own)
    arguments = others["tasks"]["predict"]["op_kwargs"]
    assert (arguments["transforms"], arguments["absent"]) == ([], {})


def test_models_transforms_read_what_they_read_in_training(compiled):
    join = "[{type: sql, query: select * from source join sea.weather using (id)}]"
    both = {"train_on": "{all: [catches, weather]}", "transforms": join}
    assert reads(compiled("{input: catches}", **both)) == ["sea.catches", "sea.weather"]
    assert reads(compiled("{input: catches, transforms: []}", **both)) == ["sea.catches"]
    others = compiled("{input: weather, reads: [catches]}", **both)
    assert reads(others) == ["sea.weather", "sea.catches"]


def test_predictions_are_checked_and_written_as_any_dataset(compiled):
    check = "{check: between, column: prediction, min: 0.0}"
    write = "{mode: merge, keys: [id]}"
    document = compiled(
        f"{{input: catches, keep: [id], checks: [{check}], write: {write}, output: guesses}}"
    )
    checks = document["tasks"]["check"]["op_kwargs"]["checks"]
    shared = document["default_args"]["shared"]
    assert shared["dataset"] == "sea.guesses"
    assert checks == [{"check": "between", "column": "prediction", "min": 0.0}]
    assert shared["write"] == {"mode": "merge", "keys": ["id"]}
    assert names(document["tasks"]["publish"]["outlets"]) == ["sea.guesses"]


def test_document_reads_back(compiled):
    document = compiled("{input: catches}")
    assert yaml.safe_load(to_yaml({"sea.weight.predict": document})) == {
        "sea.weight.predict": document
    }


def test_prediction_changes_nothing_about_the_training(tmp_path):
    documents = []
    for predict in ("{input: catches}", "{input: catches, keep: [id], batch_rows: 5}"):
        text = MODEL.format(source=SOURCE, predict=predict, train_on="catches", transforms="[]")
        write_team(tmp_path, text)
        documents.append(compile_sea(tmp_path)["sea.weight.train"])
    assert documents[0] == documents[1]


def test_dataset_is_published_by_its_own_dag_or_by_a_prediction(tmp_path):
    from factory.catalog import read_all

    text = MODEL.format(
        source=SOURCE, predict="{input: catches}", train_on="catches", transforms="[]"
    )
    write_team(tmp_path, text)
    team = read_all(tmp_path / "configs", None).teams["sea"].team
    assert producer_id(team, "catches") == "sea.catches"
    assert producer_id(team, "weight_predictions") == "sea.weight.predict"


def test_predictions_are_written_to_a_database_once_they_are_published(compiled):
    export = "{connection: warehouse, table: public.scores, mode: merge, keys: [id]}"
    tasks = compiled(f"{{input: catches, keep: [id], export: {export}}}")["tasks"]
    assert list(tasks)[-3:] == ["publish", "export", "close_workspace"]
    written = tasks["export"]
    assert written["dependencies"] == ["publish"]
    # A run whose predictions are what they were mends what the one before has not come to.
    assert written["trigger_rule"] == "none_failed"
    assert written["op_kwargs"]["export"] == {
        "connection": "warehouse",
        "table": "public.scores",
        "mode": "merge",
        "keys": ["id"],
    }
    assert set(tasks["close_workspace"]["dependencies"]) == {"open_workspace", "export"}


def test_what_predictions_hold_on_request_is_told_to_the_task(compiled):
    arguments = compiled("{input: catches, interval: 0.9, explain: 2}")["tasks"]["predict"][
        "op_kwargs"
    ]
    assert arguments["on_request"] == {"interval": 0.9, "explain": {"features": 2}}
    assert "on_request" not in compiled("{input: catches}")["tasks"]["predict"]["op_kwargs"]
