"""Metrics that a model defines: with parameters, of the class that counts, and by functions of a team's own."""

import logging
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from sklearn import metrics

from factory.base.errors import TerminalError
from factory.base.section import Surroundings
from factory.models.gate import gate
from factory.models.gate_decision import GateDecision
from factory.trainers.trainer import Predictions
from factory.training.backends.job_files import JobSettings
from factory.training.final_test import FinalTest
from factory.training.metrics import find_metric, score
from factory.training.model import Model
from factory.training.split import split
from factory.training.sweep import Selection
from tests.training.models import model, one_trial, regression
from tests.training.training import Training

LOSS_90 = {"name": "loss_90", "metric": "mean_pinball_loss", "params": {"alpha": 0.9}}
COSTS = '''
"""What a caught case is worth, and what a false alarm costs."""
import numpy as np

def money(truth, said, worth=10.0):
    return worth * np.sum((truth == 1) & (said == 1)) - np.sum((truth == 0) & (said == 1))

def expected(truth, probabilities, classes):
    return float(probabilities[np.arange(len(truth)), np.searchsorted(classes, truth)].sum())

def shares(truth, probabilities):
    return probabilities.sum(axis=0)[0]

def broken(truth, said):
    return {}["price"]

def missing(truth, said):
    return float("nan")

def table(truth, said):
    return truth

def greedy(truth, said):
    said[:] = truth
    return 1.0
'''
TRUTH = np.array([1, 0, 1, 0])
LIKELY = np.array([[0.2, 0.8], [0.9, 0.1], [0.6, 0.4], [0.3, 0.7]])
SAID = Predictions(np.array([1, 0, 0, 1]), LIKELY, np.array([0, 1]))


@pytest.fixture
def costs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """The name of a package of the team's own, another one for each test."""
    name = f"costs_{abs(hash(request.node.nodeid))}"
    (tmp_path / f"{name}.py").write_text(COSTS)
    monkeypatch.syspath_prepend(str(tmp_path))
    return name


def own(package: str, function: str, **keys: object) -> dict[str, object]:
    return {"name": "own", "call": f"{package}.{function}", "goal": "maximize", **keys}


def computed(config: Model) -> list[str]:
    return [metric.name for metric in config.computed_metrics]


def test_metric_is_computed_on_request_wherever_it_is_named():
    usual = computed(model())
    for changes in (
        {"objective": {"metric": "matthews_corrcoef"}},
        {"metrics": ["matthews_corrcoef"]},
        {"promotion": {"require": {"matthews_corrcoef": {"min": 0.1}}}},
        {
            "predict": {"input": "penguins", "keep": ["id"]},
            "monitor": {
                "truth": {"dataset": "penguins", "keys": ["id"]},
                "quality": {"matthews_corrcoef": {"min": 0.1}},
            },
        },
    ):
        found = model(**changes)
        assert computed(found) == [*usual, "matthews_corrcoef"]
        assert computed(Model.model_validate(found.as_trained())) == computed(found)


def test_metric_is_computed_once_however_often_it_is_named():
    found = regression(
        objective={"metric": "loss_90"},
        metrics=[LOSS_90, "mean_squared_error", "mean_squared_error", "r2"],
        promotion={"require": {"loss_90": {"max": 3}, "mean_squared_error": {"max": 3}}},
    )
    assert computed(found) == [*computed(regression()), "loss_90", "mean_squared_error"]


def test_defined_metric_has_its_parameters_its_goal_and_its_bounds():
    found = regression(objective={"metric": "loss_90"}, metrics=[LOSS_90])
    truth, said = np.array([1.0, 2.0, 4.0]), np.array([2.0, 1.0, 4.5])
    expected = metrics.mean_pinball_loss(truth, said, alpha=0.9)
    assert found.objective_metric.compute(truth, Predictions(said)) == expected
    assert (found.goal, found.objective_metric.bounds[0]) == ("minimize", 0)


def test_what_is_written_is_what_tasks_read_back():
    section = {
        "objective": {"metric": "loss_90"},
        "metrics": ["mean_squared_error", {"metric": "r2"}, LOSS_90],
    }
    found = regression(**section)
    assert found.model_dump(mode="json", exclude_defaults=True)["metrics"] == [
        "mean_squared_error", "r2", LOSS_90,
    ]  # fmt: skip
    assert found.as_trained()["metrics"] == ["mean_squared_error", LOSS_90]
    again = Model.model_validate(found.as_trained())
    assert again.computed_metrics == found.computed_metrics


def test_configuration_hash_follows_the_metric_that_chooses_the_winner():
    plain = regression().config_hash
    assert regression(metrics=[LOSS_90, "mean_squared_error"]).config_hash == plain
    chosen = regression(metrics=[LOSS_90], objective={"metric": "loss_90"}).config_hash
    other = LOSS_90 | {"params": {"alpha": 0.5}}
    assert regression(metrics=[other], objective={"metric": "loss_90"}).config_hash != chosen
    assert regression(metrics=[LOSS_90, {**other, "name": "loss_50"}],
                      objective={"metric": "loss_90"}).config_hash == chosen  # fmt: skip
    assert model(positive="yes").config_hash not in (plain, model(positive="no").config_hash)
    assert model(positive=None).config_hash == model().config_hash


def test_class_that_counts_adds_what_is_asked_of_it():
    found = model(positive=1)
    assert set(computed(found)) - set(computed(model())) == {
        "average_precision", "f1", "precision", "recall",
    }  # fmt: skip
    values = score(found.computed_metrics, TRUTH, SAID).values
    assert (values["precision"], values["recall"]) == (0.5, 0.5)


@pytest.mark.parametrize(
    ("function", "keys", "expected"),
    [
        ("money", {}, 9.0),
        ("money", {"arguments": {"worth": 3}}, 2.0),
        ("expected", {"needs": "probabilities"}, 0.8 + 0.9 + 0.4 + 0.3),
        ("shares", {"needs": "probabilities"}, 2.0),
    ],
)
def test_function_of_a_team_gets_what_it_needs(costs, function, keys, expected):
    found = model(metrics=[own(costs, function, **keys)])
    assert found.metric("own").compute(TRUTH, SAID) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("function", "why"),
    [
        ("broken", "raised KeyError('price') in line "),
        ("missing", "returned nan for these rows"),
        ("table", "returned ndarray: let it return one number"),
        ("greedy", "raised ValueError('assignment destination is read-only') in line "),
    ],
)
def test_function_that_fails_is_told_and_the_other_metrics_stay(costs, function, why):
    found = model(metrics=[own(costs, function), "zero_one_loss"])
    scores = score(found.computed_metrics, TRUTH, SAID)
    assert f"`{costs}.{function}` {why}" in scores.skipped["own"]
    assert scores.values["zero_one_loss"] == 0.5


def test_function_that_is_not_there_ends_the_task(costs):
    found = model(metrics=[own(costs, "munney")])
    with pytest.raises(TerminalError, match=r"has no 'munney': did you mean `costs_\d+\.money`"):
        score(found.computed_metrics, TRUTH, SAID)


def test_job_reads_a_model_whose_functions_it_does_not_have(tmp_path):
    rows = pa.table({"x": range(40), "y": [0, 1] * 20})
    found = model(target="y", metrics=[own("nowhere.at_all", "money")])
    divided = split(rows, found, tmp_path)
    settings = JobSettings(model=found.as_trained(), split=divided, processors="shared")
    again = JobSettings.from_json(settings.as_json()).section()
    assert again.computed_metrics == found.computed_metrics


def test_definitions_are_read_against_the_packages_of_the_platform(tmp_path):
    section = model(metrics=[own("costs", "money")]).model_dump(mode="json", exclude_defaults=True)
    allowed = Surroundings(tmp_path, ("sklearn", "costs"))
    assert Model.model_validate(section, context=allowed).metric("own").goal == "maximize"
    with pytest.raises(ValueError, match="outside the packages that may be named here"):
        Model.model_validate(section, context=Surroundings(tmp_path, ("sklearn",)))


def cases() -> pa.Table:
    """Rare cases, and a feature that tells a little of them."""
    numbers = np.random.default_rng(11)
    case = (numbers.random(2000) < 0.1).astype(int)
    return pa.table({"signal": case * 1.2 + numbers.normal(size=2000), "case": case})


BALANCED = {"class_weight": "balanced"}
TWO_TRIALS = {
    "strategy": "list",
    "trials": [
        {"estimator": "sklearn.linear_model.LogisticRegression", "params": params}
        for params in ({}, BALANCED)
    ],
}


def trained(tmp_path: Path, uri: str, **changes: object) -> tuple[Training, Selection, FinalTest]:
    """A training up to the test of its winner."""
    config = model(target="case", positive=1, search=TWO_TRIALS, **changes)
    training = Training(cases(), config, tmp_path, uri)
    training.plan()
    selection = training.select([training.evaluate(index) for index in (0, 1)])
    return training, selection, training.test(selection)


def decided(training: Training, selection: Selection, tested: FinalTest) -> GateDecision:
    record = training.register(selection, tested).record
    return gate(
        training.split,
        tested,
        training.model,
        training.model.promotion,
        training.workspace,
        name=training.name,
        version=record.version,
        mlflow_run_id=record.mlflow_run_id,
        tracking=training.tracking,
    )


def test_metric_of_a_team_chooses_the_winner_and_decides_what_goes_live(
    tmp_path, mlflow_server, costs
):
    money = own(costs, "money", name="money")
    _, by_accuracy, _ = trained(
        tmp_path / "a", mlflow_server, objective={"metric": "accuracy"}, metrics=[money]
    )
    assert by_accuracy.winner.fit.trial.params == {}
    chosen = {"objective": {"metric": "money"}, "metrics": [money]}
    training, by_money, tested = trained(tmp_path / "b", mlflow_server, **chosen)
    assert by_money.winner.fit.trial.params == BALANCED
    assert by_money.score > by_accuracy.winner.metrics["money"]
    assert tested.metrics["money"] > tested.baseline["money"]

    least = tested.metrics["money"]
    training.model = model(
        **chosen, target="case", positive=1, promotion={"require": {"money": {"min": least + 1}}}
    )
    kept = decided(training, by_money, tested)
    assert kept.verdict == "keep"
    assert f"test money is {least:.6g}, `promotion.require` wants at least" in kept.reason
    training.model = model(
        **chosen, target="case", positive=1, promotion={"require": {"money": {"min": least}}}
    )
    assert decided(training, by_money, tested).verdict == "promote"


def test_function_that_fails_is_told_with_the_model_s_and_the_metric_s_name(
    tmp_path, mlflow_server, costs, caplog
):
    failing = own(costs, "broken", name="price")
    with caplog.at_level(logging.WARNING):
        training, selection, tested = trained(
            tmp_path,
            mlflow_server,
            objective={"metric": "recall"},
            metrics=[failing],
            promotion={"require": {"price": {"min": 1}}},
        )
    said = [record.getMessage() for record in caplog.records]
    assert any(f"{training.name}: no test_price: `{costs}.broken` raised" in one for one in said)
    decision = decided(training, selection, tested)
    assert decision.verdict == "keep"
    assert f"test price could not be computed (`{costs}.broken` raised KeyError" in decision.reason


def test_objective_that_fails_ends_the_trial_with_the_model_s_and_the_metric_s_name(
    tmp_path, mlflow_server, costs
):
    config = model(
        target="case",
        search=one_trial("sklearn.linear_model.LogisticRegression"),
        objective={"metric": "price"},
        metrics=[own(costs, "missing", name="price")],
    )
    training = Training(cases(), config, tmp_path, mlflow_server)
    training.plan()
    with pytest.raises(TerminalError) as failed:
        training.evaluate(0)
    assert str(failed.value).startswith(f"{training.name}, trial 0 ")
    assert (
        f"the objective 'price' cannot be computed: `{costs}.missing` returned nan for these rows"
        in str(failed.value)
    )


def test_built_in_metric_by_its_name_alone_has_scikit_learns_default():
    truth, said = np.array([1.0, 3.0]), np.array([2.0, 2.0])
    assert find_metric("mean_pinball_loss").compute(truth, Predictions(said)) == 0.5
