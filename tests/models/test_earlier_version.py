"""A version that an earlier release registered: `ecology.species` of `factory demo` of commit e7f26bd."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from factory.models.record import RECORD, ModelRecord

TAGS = json.loads((Path(__file__).parent / "earlier" / "species.tags.json").read_text())


@pytest.fixture
def found() -> ModelRecord:
    at = datetime(2026, 11, 26, tzinfo=UTC)
    return ModelRecord.from_tags(TAGS, model="ecology.species", version=1, registered_at=at)


def test_it_has_no_record_and_its_tags_tell_the_same(found):
    assert RECORD not in TAGS
    assert found.task == "classification"
    assert found.estimator == "sklearn.linear_model.LogisticRegression"
    assert found.packages == ("sklearn",)
    assert found.sha256 == "399d1cd6d6b6cf8536af88e7aefea6dec54b53c82e894d9ff5708248146927d4"
    assert found.config_hash == "b32be46f02a1"
    assert found.snapshots == {"marine.penguins": 0}
    assert found.metrics["test_f1_macro"] == pytest.approx(0.7122929980072836)


def test_it_is_unsigned_and_names_no_trainer_and_no_columns(found):
    assert (found.hmac, found.trainer, found.inputs) == (None, "", ())
