"""Requests that are predicted together do not spoil each other's answers."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from fastapi import HTTPException
from fastapi.exceptions import RequestValidationError

from factory.base.errors import TerminalError
from factory.serving.answers import answer_together
from factory.serving.contract import contract_of
from factory.trainers.trainer import Predictions
from tests.serving.test_contract import EXAMPLE, RECORD, ROW

VERSION = SimpleNamespace(model="marine.weight", number=4, uri="models:/marine.weight/4")


class Doubling:
    """A version that doubles `count`, refuses -1, and breaks at -2."""

    version = VERSION
    contract = contract_of(RECORD, EXAMPLE, 10)

    def __init__(self):
        self.asked = []

    def predict(self, rows):
        counts = [row["count"] for row in rows]
        self.asked.append(counts)
        if -1 in counts:
            raise TerminalError("no negative counts in /secret/place")
        if -2 in counts:
            raise RuntimeError("broken at /secret/place")
        return Predictions(np.array(counts) * 2.0)


def body(*counts):
    return json.dumps({"rows": [{**ROW, "count": count} for count in counts]}).encode()


@pytest.fixture
def model():
    return Doubling()


def predictions(answered):
    return json.loads(answered.body)["predictions"]


def test_each_gets_its_own_rows_out_of_one_prediction(model):
    first, wrong, second = answer_together(model, [body(1, 2), b"{}", body(3)])
    assert predictions(first) == [2.0, 4.0]
    assert predictions(second) == [6.0]
    assert (first.rows, second.rows) == (2, 1)
    assert isinstance(wrong, RequestValidationError)
    assert model.asked == [[1, 2, 3]]


def test_rows_that_the_model_refuses_are_refused_alone_and_tell_no_secret(model):
    good, refused, broken = answer_together(model, [body(1), body(-1), body(-2)])
    assert predictions(good) == [2.0]
    assert refused.errors()[0]["type"] == "cannot_predict"
    assert isinstance(broken, HTTPException)
    assert broken.status_code == 500
    assert "secret" not in str([refused.errors(), broken.detail])


def test_nothing_is_predicted_when_nobody_sends_rows(model):
    (wrong,) = answer_together(model, [b"{"])
    assert isinstance(wrong, RequestValidationError)
    assert model.asked == []
