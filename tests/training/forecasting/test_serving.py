"""A model that forecasts, asked over HTTP: what a request must hold, and what comes back."""

import json
from datetime import timedelta

import pytest
from fastapi.exceptions import RequestValidationError

from factory.models import registry
from factory.models.predictor import load_predictor
from factory.serving.answers import answer_together
from factory.serving.limits import ServingLimits
from factory.serving.loading import warmed_up
from factory.training.forecasting.lag_table import after_the_end
from factory.training.forecasting.rows import asked_rows
from factory.training.forecasting.series import read_recent
from tests.training.forecasting.visits import frame, table, with_future


@pytest.fixture(scope="module")
def served(trained):
    version = registry.version(trained.name, 1, tracking=trained.tracking)
    predictor = load_predictor(version.record, tracking=trained.tracking)
    return warmed_up(version, predictor, ServingLimits())


def request(rows=None, **changes):
    """The last 14 days of both stores, and the holidays of the next 7."""
    known = with_future(frame())
    last = frame()["date"].max() - timedelta(days=13)
    shown = (known[known["date"] >= last] if rows is None else rows).assign(**changes)
    return json.dumps({"rows": json.loads(shown.to_json(orient="records", date_format="iso"))})


def answered(served, *bodies):
    return answer_together(served, [body.encode() for body in bodies])


def test_the_answer_is_the_horizon_of_each_series(served, trained):
    [found] = answered(served, request())
    said = json.loads(found.body)
    assert (said["model"], said["version"]) == (trained.name, 1)
    forecasts = said["forecasts"]
    assert [(one["store"], one["step"]) for one in forecasts] == [
        (store, step) for store in ("north", "south") for step in range(1, 8)
    ]
    last = frame()["date"].max()
    assert [one["date"] for one in forecasts[:2]] == [
        f"{last + timedelta(days=step)}T00:00:00" for step in (1, 2)
    ]
    predictor = load_predictor(trained.registered.record, tracking=trained.tracking)
    series = read_recent(table(with_future(frame())), predictor.record.forecast)
    expected = predictor.predict(asked_rows(series, after_the_end(series))).values
    assert [one["prediction"] for one in forecasts] == pytest.approx(expected, rel=1e-12)


def test_requests_that_are_predicted_together_do_not_mix_their_series(served):
    [alone] = answered(served, request())
    expected = json.loads(alone.body)["forecasts"]
    for other in answered(served, request(), request()):
        found = json.loads(other.body)["forecasts"]
        # Of more rows at once, a processor may add up in another order.
        for one, same in zip(found, expected, strict=True):
            assert one == {**same, "prediction": pytest.approx(same["prediction"], rel=1e-12)}


def refusal(served, body):
    [found] = answered(served, body)
    assert isinstance(found, RequestValidationError)
    return found.errors()[0]


def test_too_little_history_is_refused_in_words(served):
    rows = with_future(frame())
    last = frame()["date"].max() - timedelta(days=4)
    found = refusal(served, request(rows[rows["date"] >= last]))
    assert found["type"] == "series"
    assert "2 of 2 series have fewer values than the 14 to be forecast" in found["msg"]


def test_what_is_not_known_of_the_future_is_refused_in_words(served):
    rows = frame()
    last = rows["date"].max() - timedelta(days=13)
    found = refusal(served, request(rows[rows["date"] >= last]))
    assert "holiday must be known for the 7 steps" in found["msg"]


@pytest.mark.parametrize(
    ("changes", "kind", "column"),
    [
        ({"visitors": "many"}, "float_type", "visitors"),
        ({"store": 7}, "string_type", "store"),
        ({"weather": "sun"}, "extra_forbidden", "weather"),
        ({"date": 20240101}, "datetime_type", "date"),
    ],
)
def test_rows_of_another_form_are_refused_by_column(served, changes, kind, column):
    found = refusal(served, request(**changes))
    assert (found["type"], found["loc"][-1]) == (kind, column)
