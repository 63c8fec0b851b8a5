"""A forecasting model through all steps, and its numbers beside those of plain pandas and scikit-learn."""

import mlflow
import numpy as np
import pandas as pd
import pyarrow.dataset
import pytest
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from factory.models.batch_prediction import PredictionForm, predict
from factory.models.gate import gate
from factory.models.predictor import load_predictor
from factory.models.promotion import Promotion
from factory.notebook import Champion
from factory.training.about_rows import read_about
from factory.training.split import read_part
from tests.training.forecasting.visits import FORECAST, forecaster, frame, table, with_future
from tests.training.training import Training

TEST_BEGINS = 160 - 28
HORIZON = 7


def plain_rows(rows: pd.DataFrame, origins: range, step: int) -> pd.DataFrame:
    """The features of one step and the true value, a row a store and origin (a day's number), by plain pandas."""
    made = []
    for store, of_store in rows.groupby("store"):
        values, holiday = of_store["visitors"].to_numpy(), of_store["holiday"].to_numpy()
        dates = pd.to_datetime(of_store["date"]).reset_index(drop=True)
        for origin in origins:
            day = origin + step
            if day >= len(values):
                continue
            past = {f"lag_{lag}": values[origin - lag + 1] for lag in FORECAST["lags"]}
            made.append(
                {
                    "is_north": float(store == "north"),
                    "is_south": float(store == "south"),
                    **past,
                    "mean_7": values[origin - 6 : origin + 1].mean(),
                    "dayofweek": dates[day].weekday(),
                    "month": dates[day].month,
                    "holiday": holiday[day],
                    "visitors": values[day],
                    "series": store,
                    "origin": origin,
                    "step": step,
                }
            )
    return pd.DataFrame(made)


def plain_backtest(rows, alpha, known_until, origins) -> pd.DataFrame:
    """Forecasts from some origins by a ridge for each step, that learned values before a day; by plain scikit-learn."""
    steps = range(1, HORIZON + 1)
    learned = {step: plain_rows(rows, range(13, known_until - step), step) for step in steps}
    numbers = ["lag_1", "lag_2", "lag_7", "lag_14", "mean_7", "dayofweek", "month", "holiday"]
    scaler = StandardScaler().fit(pd.concat(learned.values())[numbers])

    def prepared(part):
        return np.column_stack([scaler.transform(part[numbers]), part[["is_north", "is_south"]]])

    told = []
    for step in steps:
        ridge = Ridge(alpha=alpha).fit(prepared(learned[step]), learned[step]["visitors"])
        asked = plain_rows(rows, origins, step)
        told.append(asked.assign(forecast=ridge.predict(prepared(asked))))
    return pd.concat(told, ignore_index=True)


def mase_of(backtest, rows, known_until):
    scales = {
        store: np.abs(np.subtract(values[7:], values[:-7])).mean()
        for store, of_store in rows.groupby("store")
        for values in [of_store["visitors"].to_numpy()[:known_until]]
    }
    errors = (backtest["visitors"] - backtest["forecast"]).abs()
    return float((errors / backtest["series"].map(scales)).mean())


def test_folds_are_measured_as_plain_scikit_learn_measures_rolling_origins(trained):
    rows = frame()
    for evaluation, alpha in zip(trained.evaluations, (0.1, 10.0), strict=True):
        scores = []
        for fold in range(3):
            origin = TEST_BEGINS - 1 - HORIZON * (3 - fold)
            backtest = plain_backtest(rows, alpha, origin + 1, range(origin, origin + 1))
            assert len(backtest) == 2 * HORIZON
            scores.append(mase_of(backtest, rows, TEST_BEGINS))
        assert evaluation.metrics["mase"] == pytest.approx(np.mean(scores), rel=1e-9)
        assert evaluation.deviations["mase"] == pytest.approx(np.std(scores), rel=1e-9)


def test_the_test_is_the_backtest_of_plain_scikit_learn(trained):
    rows, alpha = frame(), trained.selection.winner.fit.trial.params["alpha"]
    origins = range(TEST_BEGINS - 1, 159, HORIZON)
    backtest = plain_backtest(rows, alpha, TEST_BEGINS, origins)
    assert trained.tested.rows == len(backtest) == 2 * 28
    error = (backtest["visitors"] - backtest["forecast"]).abs()
    found = trained.tested.metrics
    assert found["mase"] == pytest.approx(mase_of(backtest, rows, TEST_BEGINS), rel=1e-9)
    assert found["mean_absolute_error"] == pytest.approx(error.mean(), rel=1e-9)
    assert found["wape"] == pytest.approx(error.sum() / backtest["visitors"].sum(), rel=1e-9)
    sizes = backtest["visitors"].abs() + backtest["forecast"].abs()
    assert found["smape"] == pytest.approx((2 * error / sizes).mean(), rel=1e-9)


def test_each_metric_is_in_mlflow_by_the_step_of_the_horizon(trained):
    rows, alpha = frame(), trained.selection.winner.fit.trial.params["alpha"]
    backtest = plain_backtest(rows, alpha, TEST_BEGINS, range(TEST_BEGINS - 1, 159, HORIZON))
    error = (backtest["visitors"] - backtest["forecast"]).abs().groupby(backtest["step"]).mean()
    client, run = trained.tracking.client, trained.planned.sweep.parent_run_id
    history = client.get_metric_history(run, "test_step_mean_absolute_error")
    assert {one.step: one.value for one in history} == pytest.approx(error.to_dict(), rel=1e-9)
    child = trained.evaluations[0].mlflow_run_id
    of_trial = client.get_metric_history(child, "step_mase")
    assert sorted(one.step for one in of_trial) == list(range(1, HORIZON + 1))
    pictures = {one.path for one in client.list_artifacts(run, "test")}
    assert "test/forecasts.png" in pictures


def test_the_baseline_is_the_seasonal_naive_forecast(trained):
    rows = frame()
    errors = [
        abs(values[day] - values[day - 7])
        for _, of_store in rows.groupby("store")
        for values in [of_store["visitors"].to_numpy()]
        for day in range(TEST_BEGINS, 160)
    ]
    assert trained.tested.baseline["mean_absolute_error"] == pytest.approx(np.mean(errors))
    assert not [one for one in trained.tested.findings if one.guard == "worse_than_baseline"]


def decide(training, **rules):
    record = training.registered.record
    return gate(
        training.split,
        training.tested,
        training.model,
        Promotion.model_validate(rules),
        training.workspace,
        name=training.name,
        version=record.version,
        mlflow_run_id=record.mlflow_run_id,
        tracking=training.tracking,
    )


def test_a_version_of_other_lags_is_compared_on_the_same_origins(trained, tmp_path, mlflow_server):
    from factory.models.gate import promote

    first = decide(trained)
    assert first.verdict == "promote"
    promote(first, None, by="the test", tracking=trained.tracking)
    other = forecaster(
        {"lags": [1], "windows": [], "known": [], "calendar": []},
        guard={"worse_than_baseline": "warn"},
    )
    challenger = Training(
        table(), other, tmp_path, mlflow_server, run_id="manual__2", name=trained.name
    )
    challenger.plan()
    selection = challenger.select([challenger.evaluate(0), challenger.evaluate(1)])
    challenger.tested = challenger.test(selection)
    challenger.registered = challenger.register(selection, challenger.tested)
    decision = decide(challenger)
    assert decision.verdict == "keep"
    assert "is worse than the champion" in decision.reason
    # The champion looks back by lags and knows holidays, of which the challenger's rows say nothing.
    assert decision.champion_metrics["mase"] == pytest.approx(trained.tested.metrics["mase"])


def predicted(trained, rows, folder):
    predictor = load_predictor(trained.registered.record, tracking=trained.tracking)
    folder.mkdir(exist_ok=True)
    made = predict(
        pyarrow.dataset.dataset(rows),
        predictor,
        PredictionForm("forecasting", (), 4),
        batch_rows=5,
        file=folder / "predictions.parquet",
    )
    return made, pyarrow.dataset.dataset(made.file).to_table().to_pandas()


def test_predictions_are_the_next_steps_of_each_series(trained, tmp_path):
    made, found = predicted(trained, table(with_future(frame())), tmp_path / "a")
    assert list(made.columns) == [
        "store",
        "date",
        "step",
        "prediction",
        "model_version",
        "input_version",
    ]
    assert made.columns["date"] == "DATE"
    assert found["step"].tolist() == [*range(1, 8)] * 2
    last = frame()["date"].max()
    assert (found["date"] == [last + pd.Timedelta(days=step) for step in found["step"]]).all()
    rows, alpha = with_future(frame()), trained.selection.winner.fit.trial.params["alpha"]
    backtest = plain_backtest(rows, alpha, TEST_BEGINS, range(159, 160))
    expected = backtest.sort_values(["series", "step"])["forecast"].to_numpy()
    assert found["prediction"].to_numpy() == pytest.approx(expected, rel=1e-9)


def test_a_forecast_depends_on_nothing_after_its_origin(trained, tmp_path):
    rows = frame()
    is_late = rows["date"] >= sorted(rows["date"].unique())[TEST_BEGINS]
    changed = rows.assign(visitors=rows["visitors"].where(~is_late, 1e6))
    # From the same origin: the rows that were changed have no target, or another one.
    without = rows.assign(visitors=rows["visitors"].where(~is_late, np.nan))
    other = Training(table(changed), forecaster(), tmp_path / "w", trained.uri, run_id="manual__3")
    other.plan()
    for place in range(2):
        fitted = other.evaluate(place)
        assert fitted.metrics == pytest.approx(trained.evaluations[place].metrics, rel=1e-12)
    features, _ = read_part(trained.workspace, "test")
    others, _ = read_part(tmp_path / "w", "test")
    about = read_about(trained.workspace, "test")
    at_first = np.flatnonzero(about["origin"] == about["origin"].min())
    predictor = load_predictor(trained.registered.record, tracking=trained.tracking)
    said = predictor.predict(features).values[at_first]
    assert said == pytest.approx(predictor.predict(others).values[at_first], rel=1e-12)
    _, told = predicted(trained, table(without), tmp_path / "b")
    assert told["prediction"].to_numpy() == pytest.approx(said, rel=1e-12)


def test_a_notebook_asks_with_series_and_is_told_what_each_forecast_is_of(trained, tmp_path):
    record = trained.registered.record
    predictor = load_predictor(record, tracking=trained.tracking)
    champion = Champion(
        trained.name, 1, record.metrics, record.snapshots, record.forecast.columns, predictor
    )
    rows = with_future(frame())
    told = champion.predict(rows[list(champion.features)])
    _, published = predicted(trained, table(rows), tmp_path / "c")
    assert list(told) == ["store", "date", "step", "prediction"]
    assert told["prediction"].to_numpy() == pytest.approx(published["prediction"].to_numpy())


def test_plain_mlflow_says_the_same_of_the_rows_that_the_factory_makes(trained):
    features, _ = read_part(trained.workspace, "test")
    predictor = load_predictor(trained.registered.record, tracking=trained.tracking)
    mlflow.set_tracking_uri(trained.uri)
    plain = mlflow.pyfunc.load_model(trained.registered.record.uri)
    assert plain.predict(features) == pytest.approx(predictor.predict(features).values, rel=1e-12)


def test_the_record_of_a_version_says_how_its_rows_are_made(trained):
    form = trained.registered.record.forecast
    assert (form.frequency, form.season, form.horizon, form.history) == ("D", 7, 7, 14)
    assert trained.registered.record.features == form.features
