import csv
from pathlib import Path

import pytest

from factory.base.errors import TerminalError
from factory.training.search.strategy import Trial
from factory.training.sweep import rank
from factory.training.trial import Evaluation, Fit
from tests.plugins import installed
from tests.training.models import model, penguins
from tests.training.training import Training


def evaluation(index, **metrics):
    trial = Trial(index=index, name=f"t{index}", estimator="a.B", params={"C": index})
    fit = Fit(
        trial=trial,
        model_file=f"trials/{index}.joblib",
        sha256="",
        fit_seconds=0.1,
        started_at=0,
        warnings=(),
    )
    return Evaluation(fit=fit, metrics=metrics, mlflow_run_id=f"run{index}")


def order(evaluations, config):
    return [one.fit.trial.index for one in rank(evaluations, config)]


def test_the_goal_says_which_way_is_better():
    some = [evaluation(0, f1_macro=0.5, log_loss=0.5), evaluation(1, f1_macro=0.9, log_loss=0.9)]
    assert order(some, model()) == [1, 0]
    assert order(some, model(objective={"metric": "log_loss"})) == [0, 1]
    upside_down = model(objective={"metric": "f1_macro", "goal": "minimize"})
    assert order(some, upside_down) == [0, 1]


def test_of_equal_trials_the_earlier_wins_in_whatever_order_they_come():
    some = [evaluation(index, f1_macro=0.9) for index in (2, 0, 1)]
    assert order(some, model()) == [0, 1, 2]


@pytest.fixture
def training(tmp_path, mlflow_server):
    training = Training(penguins(), model(), tmp_path, mlflow_server)
    training.plan()
    return training


def test_the_ranking_goes_to_the_parent_run(training, tmp_path):
    found = training.select([evaluation(0, f1_macro=0.5), evaluation(1, f1_macro=0.75)])
    assert (found.winner.fit.trial.index, found.score, found.failed) == (1, 0.75, 0)
    client, parent = training.tracking.client, training.planned.sweep.parent_run_id
    data = client.get_run(parent).data
    assert data.metrics["best_f1_macro"] == 0.75
    assert data.tags["best_run"] == "run1"
    assert data.metrics["rows_train"] == training.split.rows["train"]
    files = {artifact.path for artifact in client.list_artifacts(parent, "sweep")}
    assert files == {"sweep/sweep.csv", "sweep/sweep.png"}
    file = Path(client.download_artifacts(parent, "sweep/sweep.csv", str(tmp_path)))
    table = list(csv.DictReader(file.read_text().splitlines()))
    assert [(row["rank"], row["trial"], row["f1_macro"]) for row in table] == [
        ("1", "t1", "0.75"),
        ("2", "t0", "0.5"),
    ]


def test_failed_trials_up_to_the_limit_are_put_up_with(training):
    training.model = model(search={**model().search.model_dump(), "max_failed_trials": 1})
    assert training.select([evaluation(1, f1_macro=0.5)]).failed == 1


def test_more_failed_trials_than_the_limit_are_terminal(training):
    with pytest.raises(
        TerminalError, match=r"1 of 2 trials failed.* See the logs of the task `trial`"
    ):
        training.select([evaluation(1, f1_macro=0.5)])


def test_a_sweep_of_failed_trials_alone_is_terminal(training):
    training.model = model(search={**model().search.model_dump(), "max_failed_trials": 9})
    with pytest.raises(TerminalError, match="2 of 2 trials failed"):
        training.select([])


COST = """
from factory.training.metrics import Metric

def _cost(target, predicted):
    return 5.0 * float((target != predicted).sum())

COST = Metric("acme_cost", ("classification",), "minimize", _cost)
"""


def test_a_metric_of_a_plugin_ranks_the_trials_and_is_registered(tmp_path, mlflow_server):
    with installed(tmp_path, "acme_cost", COST, metric={"acme_cost": "COST"}):
        config = model(objective={"metric": "acme_cost"})
        training = Training(penguins(), config, tmp_path / "run", mlflow_server)
        training.plan()
        trials = [training.evaluate(0), training.evaluate(1)]
        selection = training.select(trials)
        assert selection.score == min(trial.metrics["acme_cost"] for trial in trials)
        tested = training.test(selection)
        registered = training.register(selection, tested)
        assert registered.record.metrics["test_acme_cost"] == tested.metrics["acme_cost"]
        assert "accuracy" in tested.metrics
