import json

import pytest
from pydantic import TypeAdapter, ValidationError

from factory.base.errors import TerminalError
from factory.base.section import Surroundings
from factory.training.search.strategy import AnySearch, Trial
from tests.plugins import installed
from tests.training.models import model, one_trial, regression

RIDGE = "sklearn.linear_model.Ridge"
FOREST = "sklearn.ensemble.RandomForestRegressor"
LOGISTIC = "sklearn.linear_model.LogisticRegression"


def search(strategy, **section):
    return TypeAdapter(AnySearch).validate_python({"strategy": strategy, **section})


def grid(*candidates):
    entries = [{"estimator": estimator, "params": params} for estimator, params in candidates]
    return search("grid", candidates=entries).expand()


def sampled(params, trials, **more):
    candidate = {"estimator": RIDGE, "params": params}
    return search("random", candidates=[candidate], trials=trials, **more).expand()


def values(trials, name):
    return [trial.params[name] for trial in trials]


def test_grid_makes_every_combination_of_every_candidate_in_order():
    trials = grid(
        (RIDGE, {"alpha": [0.1, 1.0]}),
        (FOREST, {"n_estimators": [10, 20], "max_depth": [4, None], "min_samples_leaf": 3}),
    )
    assert [trial.name for trial in trials] == [
        "Ridge alpha=0.1",
        "Ridge alpha=1",
        "RandomForestRegressor n_estimators=10 max_depth=4",
        "RandomForestRegressor n_estimators=10 max_depth=None",
        "RandomForestRegressor n_estimators=20 max_depth=4",
        "RandomForestRegressor n_estimators=20 max_depth=None",
    ]
    assert [trial.index for trial in trials] == list(range(6))
    assert trials[5].params == {"n_estimators": 20, "max_depth": None, "min_samples_leaf": 3}


def test_ranges_between_whole_numbers_give_integers_and_others_floats():
    (whole,) = {tuple(map(repr, values(grid((FOREST, {"n": {"linspace": [10, 30, 3]}})), "n")))}
    assert whole == ("10", "20", "30")
    logarithmic = values(grid((FOREST, {"n": {"logspace": [0, 2, 3]}})), "n")
    assert list(map(repr, logarithmic)) == ["1", "10", "100"]
    floats = values(grid((RIDGE, {"alpha": {"linspace": [0.0, 1.0, 3]}})), "alpha")
    assert list(map(repr, floats)) == ["0.0", "0.5", "1.0"]
    small = values(grid((RIDGE, {"alpha": {"logspace": [-2, 0, 3]}})), "alpha")
    assert small == pytest.approx([0.01, 0.1, 1.0])


def test_random_draws_the_same_trials_for_the_same_seed():
    params = {
        "alpha": {"loguniform": [1e-4, 1.0]},
        "tol": {"uniform": [2.0, 3.0]},
        "max_iter": {"randint": [5, 9]},
        "solver": ["svd", "lsqr"],
    }
    trials = sampled(params, 20, seed=4)
    assert trials == sampled(params, 20, seed=4)
    assert trials != sampled(params, 20, seed=5)
    assert len(trials) == 20
    assert all(1e-4 <= value <= 1.0 for value in values(trials, "alpha"))
    assert all(2.0 <= value <= 3.0 for value in values(trials, "tol"))
    assert set(values(trials, "max_iter")) <= {5, 6, 7, 8}
    assert all(type(value) is int for value in values(trials, "max_iter"))
    # Drawn evenly over orders of magnitude, about a quarter lies in each.
    assert sum(value < 0.01 for value in values(trials, "alpha")) > 5


def test_random_takes_no_trial_twice_and_finds_all_of_a_small_space(caplog):
    trials = sampled({"alpha": [1, 2], "solver": ["svd", "lsqr"]}, 10)
    assert len(trials) == 4
    assert "only 4 different trials, not 10" in caplog.text


def test_random_lets_candidates_take_turns():
    candidates = [
        {"estimator": RIDGE, "params": {"alpha": {"uniform": [0, 1]}}},
        {"estimator": FOREST, "params": {"max_features": {"uniform": [0, 1]}}},
    ]
    trials = search("random", candidates=candidates, trials=6).expand()
    assert [trial.estimator for trial in trials] == [RIDGE, FOREST] * 3


def test_list_keeps_parameters_as_they_are_written():
    listed = [{"estimator": RIDGE, "params": {"weights": [1, 2]}}, {"estimator": RIDGE}]
    trials = search("list", trials=listed).expand()
    assert [trial.name for trial in trials] == ["Ridge weights=[1,2]", "Ridge"]
    assert trials[0].params == {"weights": [1, 2]}


def test_a_trial_that_is_listed_twice_runs_once(caplog):
    listed = [{"estimator": RIDGE, "params": {"alpha": 1}}] * 2
    assert len(search("list", trials=listed).expand()) == 1
    assert "1 trials that are there twice" in caplog.text


def test_names_are_unique_even_where_values_look_alike():
    trials = grid((RIDGE, {"alpha": [0.10001, 0.10002]}))
    assert [trial.name for trial in trials] == ["Ridge alpha=0.1 #0", "Ridge alpha=0.1 #1"]


def test_one_trial_is_named_after_its_estimator():
    assert [trial.name for trial in grid((RIDGE, {"alpha": 1.0}))] == ["Ridge"]


def test_names_fit_into_a_map_index():
    trials = grid((RIDGE, {"text": ["x" * 500, "y" * 500]}))
    assert all(len(trial.name) <= 250 for trial in trials)


def test_trials_survive_json_with_keys_that_are_numbers():
    weights = {"class_weight": [{0: 1.0, 1: 5.0}, {"a": [1]}, None]}
    trials = grid((RIDGE, weights))
    through = [Trial.from_json(json.loads(json.dumps(trial.as_json()))) for trial in trials]
    assert tuple(through) == trials
    assert through[0].params == {"class_weight": {0: 1.0, 1: 5.0}}


def test_randint_refuses_fractions():
    with pytest.raises(TerminalError, match="`randint` takes whole numbers"):
        sampled({"alpha": {"randint": [1.5, 3]}}, 2)


HALVES = """
from typing import Literal
from pydantic import Field
from factory.training.search.strategy import Estimator, SearchStrategy

class Halves(SearchStrategy):
    \"\"\"The same estimator again and again, with half of a parameter's value each time.\"\"\"

    strategy: Literal["halves"]
    start: Estimator
    parameter: str
    times: int = Field(ge=1)

    @property
    def tried(self):
        return (self.start,)

    @property
    def most_trials(self):
        return self.times

    def draw(self):
        value = self.start.params[self.parameter]
        for _ in range(self.times):
            yield self.start.estimator, {**self.start.params, self.parameter: value}
            value /= 2
"""


def test_a_plugin_adds_a_strategy(tmp_path):
    section = {
        "strategy": "halves",
        "start": {"estimator": RIDGE, "params": {"alpha": 1.0, "tol": 0.1}},
        "parameter": "alpha",
        "times": 3,
    }
    with installed(tmp_path, "acme_search", HALVES, search_strategy={"halves": "Halves"}):
        found = regression(search=section)
        assert values(found.search.expand(), "alpha") == [1.0, 0.5, 0.25]
        assert (found.search.estimators, found.search.most_trials) == ((RIDGE,), 3)
        assert found.as_trained()["search"] == section
        assert found.config_hash == regression(search={**section, "parallel_trials": 7}).config_hash
    with pytest.raises(ValidationError, match="halves"):
        regression(search=section)


def svc(**params):
    return {"estimator": "sklearn.svm.SVC", "params": params}


BAGGING = "sklearn.ensemble.BaggingClassifier"
VOTING = "sklearn.ensemble.VotingClassifier"


def test_grid_tries_what_is_written_for_nested_estimators():
    trials = grid(
        (
            BAGGING,
            {"estimator": svc(C={"linspace": [1, 3, 3]}, kernel="rbf"), "n_estimators": [2, 4]},
        )
    )
    assert [trial.name for trial in trials] == [
        f"BaggingClassifier estimator__C={c} n_estimators={n}" for c in (1, 2, 3) for n in (2, 4)
    ]
    assert trials[5].params == {"estimator": svc(C=3, kernel="rbf"), "n_estimators": 4}


def test_grid_tries_each_nested_estimator_of_a_list_and_each_of_several_by_name():
    either = [None, svc(C=[1, 2]), {"estimator": LOGISTIC}]
    assert [trial.params["estimator"] for trial in grid((BAGGING, {"estimator": either}))] == [
        None,
        svc(C=1),
        svc(C=2),
        {"estimator": LOGISTIC, "params": {}},
    ]
    named = {"one": svc(C=[1, 2]), "two": [svc(C=3), "drop"]}
    section = search("grid", candidates=[{"estimator": VOTING, "params": {"estimators": named}}])
    trials = section.expand()
    assert section.most_trials == len(trials) == 4
    assert trials[3].params == {"estimators": {"one": svc(C=2), "two": "drop"}}
    assert Trial.from_json(trials[3].as_json()) == trials[3]


def test_random_draws_within_nested_estimators():
    nested = [svc(C={"loguniform": [0.1, 10]}), svc(gamma={"uniform": [0, 1]})]
    trials = sampled({"estimator": nested}, 20)
    drawn = [trial.params["estimator"]["params"] for trial in trials]
    assert {tuple(params) for params in drawn} == {("C",), ("gamma",)}
    assert len({repr(params) for params in drawn}) == 20
    assert sampled({"estimator": nested}, 20) == trials


def problems(strategy, params, context=None, **more):
    key = "trials" if strategy == "list" else "candidates"
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(AnySearch).validate_python(
            {"strategy": strategy, key: [{"estimator": BAGGING, "params": params}], **more},
            context=context,
        )
    # pydantic also says that what is wrong is missing from its list.
    found = [one for one in caught.value.errors() if one["type"] != "too_short"]
    return [(one["type"], tuple(one["ctx"]["at"])) for one in found]


@pytest.mark.parametrize(
    ("strategy", "nested", "expected"),
    [
        ("grid", svc(C={"linspce": [0, 1, 3]}), ("space", ("params", "C", "linspce"))),
        ("grid", svc(C=[]), ("space", ("params", "C"))),
        ("grid", {"estimator": "SVC"}, ("dotted_path", ("estimator",))),
        ("list", {"estimator": "sklearn._a.SVC"}, ("private", ("estimator",))),
        ("list", {"estimator": LOGISTIC, "param": {}}, ("unknown_key", ("param",))),
        ("list", {"estimator": LOGISTIC, "params": [1]}, ("wrong_type", ("params",))),
        ("list", {"estimator": LOGISTIC, "params": {1: 1}}, ("wrong_type", ("params", 1))),
    ],
)
def test_mistakes_in_nested_estimators_have_their_place(strategy, nested, expected):
    kind, at = expected
    assert problems(strategy, {"estimator": nested}) == [(kind, ("params", "estimator", *at))]
    deeper = {"estimator": BAGGING, "params": {"estimator": nested}}
    at = ("params", "estimator", "params", "estimator", *at)
    assert problems(strategy, {"estimator": deeper}) == [(kind, at)]


def test_packages_of_nested_estimators_must_be_allowed(tmp_path):
    context = Surroundings(project=tmp_path, python_packages=("sklearn",))
    nested = [{"estimator": "os.path.SVC"}, {"estimator": LOGISTIC}]
    assert problems("grid", {"estimator": nested}, context) == [
        ("package", ("params", "estimator", 0, "estimator"))
    ]


def test_distributions_of_nested_estimators_cannot_be_enumerated():
    nested = svc(C={"uniform": [0, 1]})
    assert problems("grid", {"estimator": nested}) == [
        ("space", ("candidates", 0, "params", "estimator", "params", "C"))
    ]


def test_packages_of_nested_estimators_count_as_the_models_and_change_its_hash():
    one, other = (
        model(search=one_trial(BAGGING, estimator={"estimator": path}))
        for path in ("xgboost.XGBClassifier", "lightgbm.LGBMClassifier")
    )
    assert one.packages == ("sklearn", "xgboost")
    assert other.packages == ("sklearn", "lightgbm")
    assert one.config_hash != other.config_hash
