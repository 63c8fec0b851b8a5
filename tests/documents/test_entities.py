"""The documents of a model with `entities`: the same tasks, which loop over entities."""

import pytest

from tests.documents.test_documents import SOURCE, compile_sea, write_team

MODEL = """\
datasets:
  catches: {{{source}}}
models:
  weight:
    task: regression
    train_on: catches
    target: weight
    search: {{strategy: list, trials: [{{estimator: sklearn.linear_model.Ridge}}]}}
    objective: {{metric: r2}}
    promotion: {{approval: {{assignees: [ana]}}}}
    retrain_when: {{rows_added: 100}}
    predict: {{input: catches}}
    {more}
"""


@pytest.fixture
def documents(tmp_path):
    def compiled(more: str) -> dict:
        folder = tmp_path / str(bool(more))
        folder.mkdir()
        write_team(folder, MODEL.format(source=SOURCE, more=more))
        return compile_sea(folder)

    return compiled


def calls(document: dict) -> dict[str, str]:
    """What each task calls, below `factory.airflow.tasks`."""
    found = {}
    for name, task in document["tasks"].items():
        for key, one in {name: task, **task.get("tasks", {})}.items():
            if "python_callable" in one:
                found[key] = one["python_callable"].removeprefix("factory.airflow.tasks.")
    return found


def test_tasks_keep_their_names_and_loop_over_entities(documents):
    with_entities = documents("entities: {column: port, min_rows: 50}")
    plain = documents("")
    train, as_before = with_entities["sea.weight.train"], plain["sea.weight.train"]
    assert list(train["tasks"]) == list(as_before["tasks"])
    for name, task in as_before["tasks"].items():
        assert train["tasks"][name].get("dependencies") == task.get("dependencies")
    assert calls(train) == {
        "open_workspace": "training.open_workspace",
        "inputs": "training.inputs",
        "retrain": "entities.retrain",
        "split": "entities.split",
        "plan_trials": "entities.plan_trials",
        "trial": "entities.trial",
        "select_best": "entities.select_best",
        "test": "entities.test",
        "register": "entities.register",
        "gate": "entities.gate",
        "promote": "entities.promote",
        "keep_champion": "entities.keep_champion",
        "close_workspace": "training.close_workspace",
    }
    assert not any(call.startswith("entities.") for call in calls(as_before).values())


def test_entity_whose_trials_fail_keeps_nobody_from_going_on(documents):
    tasks = documents("entities: {column: port}")["sea.weight.train"]["tasks"]
    assert tasks["select_best"]["trigger_rule"] == "all_done"


def test_training_knows_the_section_and_its_page_says_so(documents):
    document = documents("entities: {column: port, min_rows: 50, fallback: none}")[
        "sea.weight.train"
    ]
    shared = document["default_args"]["shared"]
    assert shared["section"]["entities"] == {"column": "port", "min_rows": 50, "fallback": "none"}
    assert (
        "* a model `sea.weight.<value>` for each value of `port` with 50 rows" in document["doc_md"]
    )
    assert "* for other rows: nothing" in document["doc_md"]


def test_prediction_knows_whose_model_answers(documents):
    tasks = documents("entities: {column: port}")["sea.weight.predict"]["tasks"]
    assert tasks["inputs"]["op_kwargs"] == {"entities": {"column": "port"}}
    assert tasks["predict"]["op_kwargs"]["entities"] == {"column": "port"}
    functions = {
        name: task["python_callable"].rpartition("tasks.")[2] for name, task in tasks.items()
    }
    assert functions["predict"] == "entity_prediction.predict"
    assert functions["publish"] == "entity_prediction.publish"
    plain = documents("")["sea.weight.predict"]["tasks"]
    assert "entities" not in plain["predict"]["op_kwargs"]


def test_monitoring_gives_a_verdict_for_each_entity(documents):
    document = documents("entities: {column: port}\n    monitor: {}")["sea.weight.monitor"]
    assert {name: call for name, call in calls(document).items() if "workspace" not in name} == {
        name: f"entity_monitoring.{name}" for name in ("inputs", "measure", "report", "breach")
    }
    assert document["default_args"]["shared"]["section"]["entities"] == {"column": "port"}
    assert "* a verdict for each value of `port`, in one report" in document["doc_md"]
