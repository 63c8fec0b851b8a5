"""Rows of a model with one for each entity: each is answered by its entity's champion, and what fails is its alone."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from fastapi.exceptions import RequestValidationError
from fastapi.testclient import TestClient
from mlflow.models import ModelSignature
from mlflow.types.schema import ColSpec, Schema

from factory.base.errors import FactoryError, TerminalError
from factory.models.tracking import Tracking
from factory.models.used_champions import UsedChampions
from factory.serving.app import create_app
from factory.serving.contract import contract_of
from factory.serving.entity_answers import ServedEntities, answer_by_entity
from factory.serving.entity_versions import EntityVersions, NotLoadedError
from factory.serving.limits import ServingLimits
from factory.serving.metrics import ServingMetrics
from factory.serving.refusals import UnfitVersionError
from factory.serving.served_models import ServedModels
from factory.trainers.trainer import Predictions
from tests.models.records import record

NAME = "air.delay"
LIMITS = ServingLimits(most_rows=100, seconds=5)


class Late:
    """A version that says `late` minutes more than `dep_delay`; it refuses -1, and breaks at -2."""

    def __init__(self, model: str, number: int, late: float, *columns: str):
        inputs = [ColSpec("string", name, required=False) for name in columns]
        signature = ModelSignature(
            inputs=Schema([*inputs, ColSpec("double", "dep_delay", required=True)]),
            outputs=Schema([ColSpec("double")]),
        )
        example = pd.DataFrame({**{name: ["UA"] for name in columns}, "dep_delay": [1.5]})
        self.version = SimpleNamespace(model=model, number=number, uri=f"models:/{model}/{number}")
        self.version.record = replace_record(model, signature)
        self.contract = contract_of(self.version.record, example, LIMITS.most_rows)
        self.classifies = False
        self.late = late

    def predict(self, rows):
        delays = [row["dep_delay"] for row in rows]
        if -1 in delays:
            raise TerminalError("no negative delays in /secret/place")
        if -2 in delays:
            raise RuntimeError("broken at /secret/place")
        return Predictions(np.array(delays) + self.late)


def replace_record(model: str, signature: ModelSignature):
    return record(model).model_copy(update={"task": "regression"}).with_signature(signature)


def read(model: str, number: int) -> Late:
    """United is 10 minutes late, Delta 20; of Hawaiian the version cannot be loaded."""
    if model == f"{NAME}.HA":
        raise UnfitVersionError("it predicts nonsense")
    return Late(model, number, {f"{NAME}.UA": 10, f"{NAME}.DL": 20, f"{NAME}.7": 7}[model])


def versions(kept: int = 64, by=read) -> EntityVersions:
    limits = replace(LIMITS, entity_versions=kept)
    return EntityVersions(Tracking("http://127.0.0.1:1"), ServingMetrics(), limits, by)


def served(*, fallback: Late | None = None, **changes) -> ServedEntities:
    by_entity = {one: (f"{NAME}.{one}", 3) for one in ("UA", "DL", "HA", "7")}
    champions = UsedChampions(by_entity=by_entity, fallback=(NAME, 5) if fallback else None)
    of_all = {"versions": versions(), "most_rows": LIMITS.most_rows, **changes}
    return ServedEntities(NAME, "carrier", champions, fallback, **of_all)


FALLBACK = Late(NAME, 5, 1, "carrier")


def asked(model: ServedEntities, *rows: tuple) -> dict:
    body = json.dumps(
        {"rows": [{"carrier": carrier, "dep_delay": delay} for carrier, delay in rows]}
    )
    [answered] = answer_by_entity(model, [body.encode()])
    if isinstance(answered, Exception):
        raise answered
    said = json.loads(answered.body)
    assert answered.rows == sum(one is not None for one in said["models"])
    return said


def test_each_row_is_answered_by_its_entitys_champion_else_by_the_fallback():
    said = asked(served(fallback=FALLBACK), ("DL", 1), ("UA", 2), ("XX", 3), (None, 4), ("DL", 5))
    assert said == {
        "model": NAME,
        "predictions": [21, 12, 4, 5, 25],
        "models": [f"{NAME}.DL", f"{NAME}.UA", NAME, NAME, f"{NAME}.DL"],
        "versions": [3, 3, 5, 5, 3],
    }


def test_whole_number_is_the_same_entity_however_it_is_written():
    said = asked(served(), ("7", 0), (7, 0), (7.0, 0), (2**70, 0), (True, 0))
    assert said["models"] == [f"{NAME}.7"] * 3 + [None] * 2
    assert f"no model answers for carrier '{2**70}'" in said["errors"][3]
    assert "no model answers for carrier 'true'" in said["errors"][4]


def test_version_that_does_not_load_is_told_to_its_rows_only():
    said = asked(served(fallback=FALLBACK), ("HA", 1), ("UA", 2))
    assert said["predictions"] == [None, 12]
    assert said["errors"] == [
        "version 3 of air.delay.HA does not answer: it predicts nonsense",
        None,
    ]
    assert said["models"] == [None, f"{NAME}.UA"]


def test_without_a_fallback_rows_of_other_entities_are_told_so():
    said = asked(served(), ("XX", 1), ("UA", 2), (None, 1))
    assert said["predictions"] == [None, 12, None]
    assert said["errors"][0] == (
        "no model answers for carrier 'XX': it has no champion, and there is no fallback"
    )
    waiting = UsedChampions(by_entity={}, fallback=(NAME, 5))
    said = asked(replace(served(), champions=waiting), ("XX", 1))
    assert said["errors"] == ["no version of air.delay answers yet: see GET /models"]


def test_what_one_model_raises_takes_no_other_answers_away():
    said = asked(served(), ("UA", -1), ("DL", 1))
    assert said["predictions"] == [None, 21]
    assert said["errors"][0] == "air.delay.UA cannot predict these 1 rows"
    said = asked(served(), ("UA", -2), ("DL", 1))
    assert said["errors"][0] == "air.delay.UA failed: the service's log says why"
    assert "secret" not in json.dumps(said)


@pytest.mark.parametrize(
    ("body", "place", "kind"),
    [
        (b"[", [], "json_invalid"),
        (b'{"rows": []}', ["rows"], "too_short"),
        (b'{"rows": [{"dep_delay": 1}]}', ["rows", 0, "carrier"], "missing"),
        (b'{"rows": [{"carrier": ["UA"], "dep_delay": 1}]}', ["rows", 0, "carrier"], "entity"),
        (
            b'{"rows": [{"carrier": "XX", "dep_delay": 1}, {"carrier": "UA", "dep_delay": "1"}]}',
            ["rows", 1, "dep_delay"],
            "float_type",
        ),
        (
            b'{"rows": [{"carrier": "XX", "dep_delay": 1}, {"carrier": "UA", "dep_delay": NaN}]}',
            ["rows", 1, "dep_delay"],
            "finite_number",
        ),
        (
            b'{"rows": [{"carrier": "UA", "dep_delay": 1, "x": 1}]}',
            ["rows", 0, "x"],
            "extra_forbidden",
        ),
    ],
)
def test_what_does_not_fit_is_found_at_its_row(body, place, kind):
    [refused] = answer_by_entity(served(fallback=FALLBACK), [body])
    assert isinstance(refused, RequestValidationError)
    [found] = refused.errors()
    assert (found["loc"][: len(place) + 1], found["type"]) == (["body", *place], kind)


def test_so_many_versions_are_in_memory_and_those_used_last_stay():
    loaded = []

    def counted(model, number):
        loaded.append(model.rpartition(".")[2])
        return read(model, number)

    kept = versions(2, counted)
    for entity in ("UA", "DL", "UA", "7", "UA", "DL"):
        kept.get(f"{NAME}.{entity}", 3)
    assert loaded == ["UA", "DL", "7", "DL"]


def test_version_is_loaded_once_for_all_who_wait_for_it():
    go, loaded = threading.Event(), []

    def slowly(model, number):
        loaded.append(model)
        go.wait(5)
        return read(model, number)

    kept = versions(by=slowly)
    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(kept.get, f"{NAME}.UA", 3) for _ in range(2)]
        go.set()
        assert both[0].result() is both[1].result()
    assert loaded == [f"{NAME}.UA"]


def test_what_may_pass_is_tried_again_and_what_cannot_is_not(monkeypatch):
    tries = []

    def failing(model, number):
        tries.append(model)
        raise (UnfitVersionError if model.endswith("HA") else FactoryError)("no luck at /secret")

    now = [1000.0]
    monkeypatch.setattr("factory.serving.entity_versions.time.monotonic", lambda: now[0])
    kept = versions(by=failing)

    def ask(entity):
        with pytest.raises(NotLoadedError) as refused:
            kept.get(f"{NAME}.{entity}", 3)
        return str(refused.value)

    for entity in ("HA", "UA", "HA", "UA"):
        ask(entity)
    assert tries == [f"{NAME}.HA", f"{NAME}.UA"]
    now[0] += 60
    ask("HA")
    assert "secret" not in ask("UA")
    assert tries == [f"{NAME}.HA", f"{NAME}.UA", f"{NAME}.UA"]


def test_service_tells_of_its_entities():
    models = ServedModels()
    by_entity = {one: (f"{NAME}.{one}", 3) for one in ("UA", "DL")}
    models.update(
        NAME, served=FALLBACK, champion=5, by_entity=by_entity, entities=served(fallback=FALLBACK)
    )
    with TestClient(create_app(models, LIMITS)) as client:
        rows = [{"carrier": "UA", "dep_delay": 2}, {"carrier": "XX", "dep_delay": 3}]
        answered = client.post("/models/air/delay/predict", json={"rows": rows})
        assert (answered.status_code, answered.json()["versions"]) == (200, [3, 5])
        [listed] = client.get("/models").json()["models"]
        assert (listed["version"], listed["entities"]) == (5, 2)
        path = client.get("/openapi.json").json()["paths"]["/models/air/delay/predict"]
        assert "The champion of each row's `carrier` answers" in path["post"]["description"]
        assert "one for each of 2 entities, and version 5 for others" in client.get("/").text
        assert client.get("/healthz/ready").status_code == 200
    models.update(NAME, served=None, entities=served())
    with TestClient(create_app(models, LIMITS)) as client:
        details = client.get("/models/air/delay").json()
        assert (details["version"], details["entity_column"]) == (None, "carrier")
        assert details["versions_by_entity"] == {"UA": 3, "DL": 3}
        assert client.get("/openapi.json").status_code == 200
