"""How long fits took, from the runs that a sweep has left in MLflow."""

import pytest

from factory.models.sweep_times import last_sweep


def test_a_fit_takes_as_long_as_those_of_the_last_sweep_on_the_average(trained):
    [experiment] = trained.tracking.client.search_experiments(
        filter_string=f"name = '{trained.name}'"
    )
    runs = trained.tracking.client.search_runs([experiment.experiment_id])
    took = [
        run.data.metrics["fit_seconds"] for run in runs if "mlflow.parentRunId" in run.data.tags
    ]
    found = last_sweep(trained.name, trained.tracking)
    assert found is not None
    assert (found.trials, found.cost_usd) == (len(took), None)
    assert found.seconds_per_fit == pytest.approx(sum(took) / len(took))


def test_of_a_model_without_a_sweep_it_is_unknown(trained):
    assert last_sweep("nobody.nothing", trained.tracking) is None
