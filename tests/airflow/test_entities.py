"""Tasks of a model with `entities`, as Airflow sees them, and what people are told of its runs."""

from importlib import import_module
from types import SimpleNamespace

from factory.airflow.messages import announcement
from tests.documents.test_entities import calls, documents

__all__ = ["documents"]

OUTCOME = {
    "model": "air.delay",
    "promoted": True,
    "reason": "2 of 4 models were promoted, 1 keep their champion, 1 have failed",
    "entities": {"promoted": 2, "kept": 1, "failed": 1},
    "failed": {"HA": "there is nothing to tell apart"},
    "table": "| entity | rows |",
}


def test_functions_that_documents_name_exist(documents):
    compiled = documents("entities: {column: port}\n    monitor: {}")
    for name in ("sea.weight.train", "sea.weight.predict", "sea.weight.monitor"):
        for call in calls(compiled[name]).values():
            module, _, function = call.rpartition(".")
            assert callable(getattr(import_module(f"factory.airflow.tasks.{module}"), function))


def test_one_message_tells_of_all_entities_and_names_those_that_have_failed():
    ti = SimpleNamespace(dag_id="air.delay.train", run_id="manual__1")
    message = announcement("on_promotion", OUTCOME, ti)
    assert message.subject == ("air.delay: 2 of 4 models have a new version in production")
    assert message.facts["reason"] == OUTCOME["reason"]
    assert message.detail == "| entity | rows |\nHA: there is nothing to tell apart"
    kept = {**OUTCOME, "promoted": False, "entities": {"promoted": 0, "kept": 3, "failed": 1}}
    message = announcement("on_kept_champion", kept, ti)
    assert message.subject == "air.delay: 0 of 4 models have a new version in production"
