"""The monitoring DAG and what it does to the training's schedule."""

from pathlib import Path

import pytest

from factory.catalog import read_all
from factory.documents.compile import compile_team, dag_ids
from factory.documents.installation import Installation

HEAD = """\
version: 1
team: sea
owner: sea@example.org
notify: {on_breach: [{type: log}]}
datasets:
  known: {source: {type: csv, path: data/known.csv}}
  birds: {source: {type: csv, path: data/birds.csv}}
  truth: {source: {type: csv, path: data/truth.csv}}
models:
  species:
    task: classification
    train_on: known
    target: species
    search: {strategy: list, trials: [{estimator: sklearn.linear_model.LogisticRegression}]}
    objective: {metric: accuracy}
"""
PREDICT = "    predict: {input: birds, keep: [id]}\n"
MONITOR = "sea.species.monitor"


def compiled(project: Path, text: str, head: str = HEAD) -> dict:
    (project / "configs").mkdir(exist_ok=True)
    (project / "configs" / "sea.yaml").write_text(head + text)
    read = read_all(project / "configs", "dev")
    assert not read.problems, read.problems[0]
    team = read.teams["sea"].team
    documents = compile_team(team, Installation("s3://lake", "/scratch", project))
    assert list(documents) == list(dag_ids(team))
    return documents


def names(assets: list) -> list[str]:
    return [asset["name"] for asset in assets]


def test_model_without_the_section_has_no_such_dag(tmp_path):
    assert MONITOR not in compiled(tmp_path, "")


def test_predictions_start_it_where_there_are_any_and_else_new_rows_to_train_on(tmp_path):
    document = compiled(tmp_path, PREDICT + "    monitor: {}\n")[MONITOR]
    assert names(document["schedule"]) == ["sea.species_predictions"]
    assert names(compiled(tmp_path, "    monitor: {}\n")[MONITOR]["schedule"]) == ["sea.known"]
    other = compiled(tmp_path, PREDICT + "    monitor: {input: truth}\n")[MONITOR]
    assert names(other["schedule"]) == ["sea.truth"]
    at_times = compiled(tmp_path, PREDICT + "    monitor: {schedule: '@daily'}\n")[MONITOR]
    assert at_times["schedule"] == "@daily"


def test_tasks_declare_what_they_read(tmp_path):
    text = PREDICT + "    monitor: {truth: {dataset: truth, keys: [id]}}\n"
    document = compiled(tmp_path, text)[MONITOR]
    tasks = document["tasks"]
    assert list(tasks) == [
        "open_workspace",
        "inputs",
        "measure",
        "report",
        "breach",
        "close_workspace",
    ]
    assert names(tasks["inputs"]["inlets"]) == ["sea.species_predictions", "sea.truth"]
    assert names(tasks["measure"]["inlets"]) == [
        "sea.species_predictions",
        "sea.birds",
        "sea.known",
        "sea.truth",
    ]
    assert document["default_args"]["shared"]["reads"] == ["sea.species_predictions"]
    assert document["default_args"]["shared"]["watched"] == {
        "train_on": ["sea.known"],
        "current": ["sea.birds"],
        "predictions": "sea.species_predictions",
        "truth": "sea.truth",
    }


def test_sql_of_files_stands_in_the_document_as_text(tmp_path):
    (tmp_path / "clean.sql").write_text("select * from source\n")
    transforms = "transforms: [{type: sql, file: clean.sql}]"
    text = f"    {transforms}\n    predict: {{input: birds, {transforms}}}\n    monitor: {{}}\n"
    config = compiled(tmp_path, text)[MONITOR]["default_args"]["shared"]["section"]
    as_text = [{"type": "sql", "query": "select * from source"}]
    assert config["transforms"] == as_text
    assert config["predict"]["transforms"] == as_text


def test_breach_that_asks_for_no_training_emits_nothing(tmp_path):
    documents = compiled(tmp_path, "    monitor: {}\n")
    assert "retrain" not in documents[MONITOR]["tasks"]
    assert names(documents["sea.species.train"]["schedule"]) == ["sea.known"]


def test_people_are_told_only_if_the_section_says_so(tmp_path):
    told = compiled(tmp_path, "    monitor: {}\n")[MONITOR]["tasks"]["breach"]["op_kwargs"]
    assert told["notify"] == [{"type": "log"}]
    text = "    monitor: {on_breach: [retrain]}\n"
    assert "op_kwargs" not in compiled(tmp_path, text)[MONITOR]["tasks"]["breach"]


RETRAIN = "    monitor: {on_breach: [retrain]}\n"
DRIFT = {
    "__type__": "airflow.sdk.Asset",
    "name": "sea.species.drift",
    "uri": "x-mlflow://drift/sea.species",
    "group": "drift",
}


def test_drift_asset_of_a_breach_starts_the_training(tmp_path):
    documents = compiled(tmp_path, RETRAIN)
    assert documents[MONITOR]["tasks"]["retrain"]["outlets"] == [DRIFT]
    schedule = documents["sea.species.train"]["schedule"]
    assert schedule["__type__"] == "airflow.sdk.AssetAny"
    assert names(schedule["__args__"]) == ["sea.known", "sea.species.drift"]


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        ("none", "drift alone"),
        ("'@weekly'", "at times or drift"),
        ("{all: [known, birds]}", "all or drift"),
        ("{any: [known, birds]}", "any or drift"),
        ("{any: [known], cron: '0 3 * * *'}", "times, any or drift"),
    ],
)
def test_drift_starts_a_training_whatever_else_does(tmp_path, written, kind):
    schedule = compiled(tmp_path, f"    schedule: {written}\n" + RETRAIN)["sea.species.train"][
        "schedule"
    ]
    match kind:
        case "drift alone":
            assert schedule == [DRIFT]
        case "at times or drift":
            assert schedule["assets"] == DRIFT
            assert schedule["timetable"]["__args__"] == ["@weekly"]
        case "times, any or drift":
            assert schedule["timetable"]["__args__"] == ["0 3 * * *"]
            condition, drift = schedule["assets"]["__args__"]
            assert (names(condition["__args__"]), drift) == (["sea.known"], DRIFT)
        case _:
            condition, drift = schedule["__args__"]
            assert schedule["__type__"] == "airflow.sdk.AssetAny"
            assert condition["__type__"] == f"airflow.sdk.Asset{kind.split()[0].title()}"
            assert (names(condition["__args__"]), drift) == (["sea.known", "sea.birds"], DRIFT)


def test_datasets_that_the_section_names_must_exist(tmp_path):
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "sea.yaml").write_text(
        HEAD
        + PREDICT
        + "    monitor:\n      input: brids\n      schedule: {any: [knwon]}\n"
        + "      truth: {dataset: trth, keys: [id]}\n"
    )
    problems = [str(problem) for problem in read_all(tmp_path / "configs", "dev").problems]
    assert [problem.splitlines()[0].partition(": ")[2] for problem in problems] == [
        "F081 this team publishes no dataset `brids`",
        "F081 this team publishes no dataset `knwon`",
        "F081 this team publishes no dataset `trth`",
    ]


def test_watching_ones_own_predictions_closes_no_ring(tmp_path):
    text = PREDICT + "    monitor: {schedule: {any: [species_predictions, species]}}\n"
    schedule = compiled(tmp_path, text)[MONITOR]["schedule"]
    assert names(schedule["__args__"]) == ["sea.species_predictions", "sea.species"]


def test_truth_that_is_declared_without_the_needed_columns_is_a_problem(tmp_path):
    (tmp_path / "configs").mkdir()
    head = HEAD.replace(
        "truth: {source: {type: csv, path: data/truth.csv}}",
        "truth: {source: {type: csv, path: data/truth.csv}, columns: {ident: BIGINT, kind: TEXT}}",
    )
    text = "    monitor: {truth: {dataset: truth, keys: [id]}}\n"
    (tmp_path / "configs" / "sea.yaml").write_text(head + PREDICT + text)
    problems = [str(problem) for problem in read_all(tmp_path / "configs", "dev").problems]
    assert [problem.splitlines()[0].partition(": ")[2] for problem in problems] == [
        "F085 `sea.truth` has no column `species`, by the `columns` that it declares",
        "F085 `sea.truth` has no column `id`, by the `columns` that it declares",
    ]
