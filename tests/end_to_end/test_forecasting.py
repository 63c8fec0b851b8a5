"""New values of series train a model that forecasts, and are forecast by it, on a real Airflow."""

from datetime import timedelta

import pytest

from tests.harness.airflow import Installation
from tests.training.forecasting.visits import frame, with_future

FAIR = """\
version: 1
team: fair
owner: fair@example.org
datasets:
  visits: {source: {type: csv, path: data/visits.csv}}
models:
  visitors:
    task: forecasting
    train_on: visits
    target: visitors
    forecast:
      {time: date, series: store, horizon: 7, lags: [1, 2, 7, 14], calendar: [dayofweek], known: [holiday]}
    preprocessing:
      - {columns: [store, dayofweek], steps: [sklearn.preprocessing.OneHotEncoder]}
    split: {test: 28d, validation: {folds: 2}}
    search: {strategy: list, trials: [{estimator: sklearn.linear_model.Ridge, params: {alpha: 0.1}}]}
    objective: {metric: mase}
    predict:
      input: visits
      checks:
        - {check: unique, columns: [store, date]}
"""

VISITS, TRAIN, PREDICT = "fair.visits", "fair.visitors.train", "fair.visitors.predict"


@pytest.fixture(scope="module")
def fair(installation: Installation) -> Installation:
    rows = with_future(frame())
    installation.add({"data/visits.csv": rows.to_csv(index=False), "configs/fair.yaml": FAIR})
    return installation


def test_new_values_train_a_model_whose_promotion_starts_forecasts(fair: Installation):
    visits = fair.event_of(fair.run(VISITS))
    training = fair.started_by(visits, TRAIN)
    assert training.state == "success", fair.states(training)
    promotion = fair.event_of(training)
    assert (promotion.name, promotion.extra["version"]) == ("fair.visitors", 1)
    event = fair.event_of(fair.started_by(promotion, PREDICT))
    rows = fair.lake.scan(event.extra["dataset"], event.extra["version"]).to_table().to_pandas()
    assert list(rows) == ["store", "date", "step", "prediction", "model_version", "input_version"]
    last = frame()["date"].max()
    assert rows["date"].tolist() == [last + timedelta(days=step) for step in range(1, 8)] * 2
    assert rows["step"].tolist() == [*range(1, 8)] * 2
