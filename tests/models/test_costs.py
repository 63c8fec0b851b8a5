"""Limits of costs: of the time of a prediction, the size of the stored model, the time of the fit."""

import itertools
from types import SimpleNamespace

import pandas as pd
import pytest

from factory.models.costs import latency_p95_ms, p95
from factory.models.files import megabytes
from factory.training import plots
from tests.models.life import GOOD, Life
from tests.training.models import model


def test_p95_is_the_value_that_95_of_100_do_not_exceed():
    assert p95([float(value) for value in range(100, 0, -1)]) == 95
    assert p95([3.0]) == 3
    # 0.95 times 10 is 9.5: the tenth.
    assert p95([1.0] * 9 + [8.0]) == 8


def test_latency_is_that_of_single_rows_after_a_warm_up():
    asked = []
    # A prediction takes 2 ms, and each of the last 15 of 200 takes 7: more than 5 of 100.
    seconds = [0.002] * 185 + [0.007] * 15
    ticks = itertools.chain.from_iterable((0.0, taken) for taken in seconds)
    rows = pd.DataFrame({"x": range(1000)})
    found = latency_p95_ms(asked.append, rows, clock=lambda: next(ticks))
    assert found == pytest.approx(7)
    assert len(asked) == 20 + 200
    assert {len(row) for row in asked} == {1}
    assert (asked[20]["x"].item(), asked[-1]["x"].item()) == (0, 999)


def test_latency_of_few_rows_asks_each_of_them_once():
    asked = []
    latency_p95_ms(lambda row: asked.append(row["x"].item()), pd.DataFrame({"x": [4, 5, 6]}))
    assert asked[20:] == [4, 5, 6]


def test_latency_is_measured_on_one_thread():
    from threadpoolctl import threadpool_info

    found = []
    latency_p95_ms(lambda _: found.extend(threadpool_info()), pd.DataFrame({"x": [1]}))
    assert {pool["num_threads"] for pool in found} == {1}


def test_size_is_that_of_all_files_of_the_model(tmp_path):
    (tmp_path / "below").mkdir()
    (tmp_path / "MLmodel").write_bytes(b"x" * 1_000)
    (tmp_path / "below" / "model.skops").write_bytes(b"x" * 1_499_000)
    # What MLflow writes beside a copy is no part of the model.
    (tmp_path / "registered_model_meta").write_bytes(b"x" * 1_000_000)
    assert megabytes(tmp_path) == 1.5


@pytest.fixture(scope="module")
def life(tmp_path_factory, mlflow_server) -> Life:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plots, "save_plots", lambda *_, **__: [])
        life = Life(tmp_path_factory.mktemp("costs"), mlflow_server)
        life.train(model(search=GOOD))
        return life


def logged(life: Life) -> SimpleNamespace:
    """The metrics of the training run, and of the model that it logged."""
    client = life.tracking.client
    run = client.get_run(life.version.mlflow_run_id)
    [stored] = client.search_logged_models(
        [run.info.experiment_id], f"source_run_id = '{run.info.run_id}'"
    )
    return SimpleNamespace(
        run=run.data.metrics, model={one.key: one.value for one in stored.metrics}
    )


def test_size_and_time_of_the_fit_are_metrics_of_the_run_and_of_its_model(life):
    found = logged(life)
    for name in ("model_mb", "fit_seconds"):
        assert found.run[name] == found.model[name] > 0
    assert 0.001 < found.run["model_mb"] < 1


def test_latency_is_measured_only_where_it_has_a_limit(life):
    life.decide()
    assert "latency_p95_ms" not in logged(life).run
    decision = life.decide(require={"latency_p95_ms": {"max": 60_000}})
    assert decision.verdict == "promote"
    [latency] = decision.thresholds
    assert 0 < latency.value == logged(life).run["latency_p95_ms"]


def test_cost_above_its_limit_keeps_the_version_out(life):
    size = logged(life).run["model_mb"]
    decision = life.decide(
        require={"model_mb": {"max": size / 2}, "fit_seconds": {"max": 600}, "f1_macro": {"min": 0}}
    )
    assert decision.verdict == "keep"
    assert decision.reason == (
        f"version 1 misses a threshold: model_mb is {size:.6g}, `promotion.require` wants at most "
        f"{size / 2:g}"
    )
    assert f"* **missed**: model_mb {size:.6g}, at most {size / 2:g}" in decision.table()
    assert "* met: fit_seconds " in life.note
    assert "* met: test f1_macro " in life.note


def test_cost_that_nobody_has_logged_counts_as_missed(life):
    limited = {"require": {"model_mb": {"max": 60}}}
    assert life.decide(**limited).verdict == "promote"
    client, run_id = life.tracking.client, life.version.mlflow_run_id
    other = client.create_run(client.get_run(run_id).info.experiment_id).info.run_id
    life.version = life.version.model_copy(update={"mlflow_run_id": other})
    decision = life.decide(**limited)
    assert decision.verdict == "keep"
    assert "model_mb could not be computed (its training run in MLflow has no such metric)" in (
        decision.reason
    )
