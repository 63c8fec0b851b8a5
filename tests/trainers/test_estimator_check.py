"""Mistakes in estimators and their parameters, found without a row of data."""

import inspect

import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.utils import all_estimators

from factory.base.errors import TerminalError
from factory.base.objects import build_estimator
from factory.base.public_names import meant_path
from factory.trainers.scikit_learn.boosting import EncodedClasses
from factory.trainers.scikit_learn.estimator_check import find
from factory.trainers.scikit_learn.nested import build
from factory.trainers.trainer import WrittenEstimator

LOGISTIC = "sklearn.linear_model.LogisticRegression"
FOREST = "sklearn.ensemble.RandomForestClassifier"
KINDS = (("classifier", "classification"), ("regressor", "regression"))


class Around(ClassifierMixin, BaseEstimator):
    """An estimator with another one in it."""

    def __init__(self, base=LogisticRegression(), share=0.5):  # noqa: B008 - get_params shows it
        self.base = base
        self.share = share

    def fit(self, features, target):
        return self

    def predict(self, features):
        return features


def found(path=LOGISTIC, task="classification", *, spaces=False, **params):
    return list(find(WrittenEstimator(path, params, task, has_spaces=spaces)))


def places(*args, **kwargs):
    return [(one.name, one.path) for one in found(*args, **kwargs)]


@pytest.mark.parametrize(
    ("params", "path", "advice"),
    [
        ({"C": -1}, ("params", "C"), "its default is 1.0"),
        ({"tol": "1e-3"}, ("params", "tol"), "write 0.001, without quotes: in quotes it is text"),
        ({"C": "0,5"}, ("params", "C"), "write 0.5, without quotes: in quotes it is text"),
        ({"penalty": "None"}, ("params", "penalty"), "write null for None, without quotes"),
        ({"dual": "no"}, ("params", "dual"), "write false, without quotes"),
        ({"max_iter": 100.0}, ("params", "max_iter"), "write 100, which is a whole number"),
        ({"solver": "libliner"}, ("params", "solver"), "did you mean `liblinear`?"),
        ({"max_itr": 3}, ("params", "max_itr"), "did you mean `max_iter`?"),
    ],
)
def test_a_value_is_refused_with_what_to_write(params, path, advice):
    [one] = found(**params)
    assert (one.name, one.path, one.suggestion) == ("params", path, advice)


@pytest.mark.parametrize(
    ("params", "path"),
    [
        ({"C": [0.1, -1, 1]}, ("params", "C", 1)),
        ({"C": {"linspace": [0, 1, 5]}}, ("params", "C", "linspace", 0)),
        ({"l1_ratio": {"logspace": [-2, 1, 4]}}, ("params", "l1_ratio", "logspace", 1)),
        ({"C": {"uniform": [-1, 3]}}, ("params", "C", "uniform", 0)),
        ({"max_iter": {"randint": [-10, 100]}}, ("params", "max_iter", "randint", 0)),
        ({"max_iter": {"uniform": [10, 100]}}, ("params", "max_iter", "uniform")),
        ({"max_iter": {"linspace": [10, 100, 4]}}, None),
        ({"C": {"uniform": [0, 3]}}, None),
        ({"C": {"logspace": [-3, 3, 7]}}, None),
    ],
)
def test_of_what_is_tried_the_item_is_shown_that_is_refused(params, path):
    assert [one.path for one in found(spaces=True, **params)] == ([path] if path else [])


@pytest.mark.parametrize(
    ("path", "params", "place", "advice"),
    [
        (LOGISTIC, {"penalty": "l1"}, ("params", "penalty"), "`solver` can be liblinear or saga"),
        (LOGISTIC, {"penalty": "l1", "solver": "lbfgs"}, ("params", "penalty"), "`solver` can be"),
        (FOREST, {"bootstrap": False, "oob_score": True}, ("params", "bootstrap"), "`oob_score`"),
        (FOREST, {"bootstrap": False, "max_samples": 0.3}, ("params", "bootstrap"), ""),
        ("sklearn.svm.LinearSVC", {"loss": "hinge", "penalty": "l1"}, ("params", "loss"), ""),
        (
            "sklearn.discriminant_analysis.LinearDiscriminantAnalysis",
            {"shrinkage": "auto"},
            ("params", "shrinkage"),
            "`solver` can be eigen or lsqr",
        ),
    ],
)  # fmt: skip
def test_values_that_do_not_go_together_are_found(path, params, place, advice):
    [one] = found(path, **params)
    assert (one.name, one.path) == ("combination", place)
    assert (one.suggestion or "").startswith(advice)


def test_of_a_grid_the_value_is_shown_that_meets_one_with_which_it_does_not_go():
    tried = {"C": [0.1, 1], "solver": ["saga", "lbfgs"], "penalty": ["l2", "l1"]}
    [one] = found(spaces=True, **tried)
    assert one.path == ("params", "penalty", 1)
    assert "`penalty: l1` with `solver: lbfgs`" in one.message


@pytest.mark.parametrize(
    ("path", "params"),
    [
        (LOGISTIC, {"penalty": "elasticnet", "solver": "saga", "l1_ratio": 0.3}),
        (LOGISTIC, {"class_weight": {"yes": 2, "no": 1}}),
        (FOREST, {"max_depth": None, "max_features": 0.3, "n_estimators": 500, "n_jobs": -1}),
        ("sklearn.discriminant_analysis.LinearDiscriminantAnalysis", {"n_components": 10, "tol": 3}),
        ("sklearn.ensemble.GradientBoostingClassifier", {"loss": "exponential"}),
        ("sklearn.neighbors.KNeighborsClassifier", {"metric": "haversine", "n_neighbors": 500}),
        ("sklearn.svm.SVC", {"kernel": "precomputed"}),
        ("sklearn.svm.NuSVC", {"nu": 0.9}),
        ("sklearn.linear_model.LogisticRegressionCV", {"scoring": "roc_auc"}),
        ("sklearn.dummy.DummyClassifier", {"strategy": "constant", "constant": "yes"}),
        ("sklearn.neural_network.MLPClassifier", {"hidden_layer_sizes": [20, 5], "solver": "sgd"}),
        ("sklearn.ensemble.HistGradientBoostingClassifier", {"early_stopping": True, "validation_fraction": 0.001}),
    ],
)  # fmt: skip
def test_what_depends_on_the_rows_is_left_to_the_rows(path, params):
    assert found(path, **params) == []


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "task"), KINDS)
def test_no_estimator_of_scikit_learn_is_refused_with_its_own_defaults(kind, task):
    refused = {}
    for name, factory in all_estimators(kind):
        path = meant_path(f"{factory.__module__}.{name}", ("sklearn",))
        known = inspect.signature(factory).parameters
        if any(one.default is one.empty for one in known.values()):
            continue  # it needs another estimator
        if name == "SelfTrainingClassifier":
            continue  # so does it, though it has a default
        if name.startswith("MultiTask"):
            continue  # it learns several targets
        plain = (str, int, float, bool, type(None))
        params = {
            name: one.default
            for name, one in known.items()
            if isinstance(one.default, plain) and one.default not in ("warn", "deprecated")
        }
        refused |= {(path, one.message): one for one in found(path, task, **params)}
    assert refused == {}


def test_an_estimator_of_another_kind_is_told_its_counterpart():
    [one] = found("sklearn.ensemble.RandomForestRegressor")
    assert one.suggestion == (
        "did you mean `sklearn.ensemble.RandomForestClassifier`? Or write `task: regression`"
    )
    [one] = found("sklearn.cluster.KMeans")
    assert one.message == "KMeans is a clusterer, and the model's task is classification"


def test_parameters_of_an_estimator_within_are_known():
    around = f"{__name__}.Around"
    assert places(around, base__C=3, share=0.1) == []
    [one] = found(around, base__c=3)
    assert (one.path, one.suggestion) == (("params", "base__c"), "did you mean `base__C`?")
    assert build_estimator(around, {"base__C": 3}, seed=0).base.C == 3


def test_values_of_other_packages_are_not_judged():
    assert places(f"{__name__}.Around", share=-3) == []


BAGGING = "sklearn.ensemble.BaggingClassifier"
VOTING = "sklearn.ensemble.VotingClassifier"
STACKING = "sklearn.ensemble.StackingClassifier"


def nested(path=LOGISTIC, **params):
    return {"estimator": path, "params": params}


@pytest.mark.parametrize(
    ("one", "at"),
    [
        (nested("sklearn.svm.SVM"), ("estimator",)),
        (nested("sklearn.svm.l1_min_c"), ("estimator",)),
        (nested(penalti="l1"), ("params", "penalti")),
        (nested(C=-1), ("params", "C")),
        (nested(penalty="l1", solver="lbfgs"), ("params", "penalty")),
        (nested(BAGGING, estimator=nested(C=0)), ("params", "estimator", "params", "C")),
    ],
)
def test_mistakes_of_an_estimator_within_another_have_their_place(one, at):
    [problem] = found(BAGGING, estimator=one)
    assert problem.path == ("params", "estimator", *at)
    [problem] = found(STACKING, estimators={"one": nested(), "two": one}, final_estimator=nested())
    assert problem.path == ("params", "estimators", "two", *at)


def test_an_estimator_that_lacks_a_method_is_refused_by_the_one_around_it():
    [problem] = found(BAGGING, estimator=nested("sklearn.preprocessing.StandardScaler"))
    assert problem.path == ("params", "estimator", "estimator")
    assert "needs an estimator with `predict`" in problem.message


def test_those_who_vote_say_what_the_vote_is_about():
    ridge = nested("sklearn.linear_model.Ridge")
    [problem] = found(VOTING, estimators={"one": nested(), "two": ridge})
    assert problem.path == ("params", "estimators", "two", "estimator")
    assert problem.message == "Ridge is a regressor, and the model's task is classification"
    # Of regressors, classes may be told; and what is within one who votes is his own matter.
    assert found(STACKING, estimators={"one": ridge}) == []
    around = nested(STACKING, estimators={"one": ridge})
    assert found(VOTING, estimators={"one": around}) == []


def test_values_to_try_within_an_estimator_are_looked_at_one_by_one():
    either = [None, nested(C=[1, -1]), nested(C={"linspace": [0, 1, 3]})]
    at = ("params", "estimator")
    assert places(BAGGING, spaces=True, estimator=either) == [
        ("params", (*at, 1, "params", "C", 1)),
        ("params", (*at, 2, "params", "C", "linspace", 0)),
    ]


@pytest.mark.parametrize(
    ("path", "params", "at"),
    [
        (BAGGING, {"n_estimators": nested()}, ("n_estimators",)),
        (BAGGING, {"estimator": {"one": nested()}}, ("estimator",)),
        (BAGGING, {"estimator": [nested(), nested()]}, ("estimator",)),
        (BAGGING, {"estimator": nested(), "estimator__C": 2}, ("estimator__C",)),
        (VOTING, {"estimators": nested()}, ("estimators",)),
        (VOTING, {"estimators": [["one", nested()]]}, ("estimators",)),
        (VOTING, {"estimators": {"weights": nested()}}, ("estimators", "weights")),
        (VOTING, {"estimators": {"a__b": nested()}}, ("estimators", "a__b")),
        (VOTING, {"estimators": {"one": nested(), "two": {"C": 1}}}, ("estimators", "two")),
        (VOTING, {"estimators": {"one": nested(), "two": LOGISTIC}}, ("estimators", "two")),
        (VOTING, {"estimators": {"one": LOGISTIC}}, ("estimators",)),
    ],
)
def test_estimators_stand_where_they_are_taken_in_the_form_that_is_taken(path, params, at):
    assert places(path, **params) == [("params", ("params", *at))]


def test_a_text_for_an_estimator_is_told_how_to_be_one():
    [problem] = found(BAGGING, estimator=LOGISTIC)
    assert problem.suggestion == f"write `{{estimator: {LOGISTIC}}}`"
    [problem] = found(BAGGING, estimator=[nested(), nested(C=2)])
    assert problem.suggestion.endswith("use `strategy: grid`")
    [problem] = found(VOTING, estimators={"line": LOGISTIC})
    assert problem.suggestion == f"write `{{line: {{estimator: {LOGISTIC}}}, ...}}`"
    [problem] = found(VOTING)
    assert problem.suggestion.startswith("add `estimators: {some_name: {estimator: ")


def test_open_random_states_of_nested_estimators_become_the_seed():
    forest = "sklearn.ensemble.RandomForestClassifier"
    parts = {
        "a": nested(forest),
        "b": nested(forest, random_state=None),
        "c": {"estimator": FOREST},
    }
    made = build(STACKING, {"estimators": parts, "cv": 3}, 7, threads=1)
    states = {name: made.get_params()[f"{name}__random_state"] for name in "abc"}
    assert states == {"a": 7, "b": None, "c": 7}


@pytest.mark.extras
def test_boosted_trees_within_an_estimator_get_what_their_library_needs():
    parts = {"x": {"estimator": "xgboost.XGBClassifier"}, "l": nested("lightgbm.LGBMClassifier")}
    made = build(VOTING, {"estimators": parts}, 0, threads=3)
    (_, encoded), (_, light) = made.estimators
    assert isinstance(encoded, EncodedClasses)
    assert encoded.estimator.n_jobs == light.n_jobs == 3
    assert light.verbosity == -1


def test_nested_estimators_touch_no_files():
    pipe = nested("sklearn.pipeline.Pipeline", memory="x", steps={"a": nested()})
    assert ("params", ("params", "estimator", "params", "memory")) in places(
        BAGGING, estimator=pipe
    )
    with pytest.raises(TerminalError, match="reads or writes files"):
        build(BAGGING, {"estimator": pipe}, 0, threads=1)
