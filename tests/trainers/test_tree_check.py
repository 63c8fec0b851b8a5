"""Trees that were tampered with are found before anybody walks them."""

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    IsolationForest,
    RandomForestClassifier,
)
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from factory.base.errors import TerminalError
from factory.trainers.scikit_learn.tree_check import check_trees

X, Y = load_iris(return_X_y=True)


def fitted(estimator):
    return make_pipeline(StandardScaler(), estimator).fit(X, Y)


@pytest.mark.parametrize(
    "estimator",
    [
        DecisionTreeClassifier(),
        DecisionTreeClassifier(ccp_alpha=0.02),
        DecisionTreeClassifier(max_leaf_nodes=5),
        DecisionTreeRegressor(),
        RandomForestClassifier(5),
        ExtraTreesClassifier(5),
        GradientBoostingClassifier(n_estimators=3),
        HistGradientBoostingClassifier(max_iter=3),
        HistGradientBoostingClassifier(max_iter=3, categorical_features=[0]),
        IsolationForest(n_estimators=3),
        KNeighborsClassifier(algorithm="kd_tree"),
        KNeighborsClassifier(algorithm="ball_tree"),
    ],
    ids=lambda estimator: str(estimator).replace("\n", ""),
)
def test_trees_as_they_are_grown_pass(estimator):
    if "categorical" in str(estimator):
        rows = X.copy()
        rows[:, 0] = np.round(rows[:, 0]) % 5
        check_trees(make_pipeline(estimator).fit(rows, Y))
        return
    check_trees(fitted(estimator))


def change(tree, **fields):
    """The state of a tree with some of its root's fields changed, as a file would hold it."""
    state = tree.__getstate__()
    nodes = state["nodes"].copy()
    for name, value in fields.items():
        nodes[name][0] = value
    tree.__setstate__({**state, "nodes": nodes})


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"left_child": 2_000_000_000}, "has a child that is not there"),
        ({"right_child": 2_000_000_000}, "has a child that is not there"),
        ({"left_child": 0}, "has a child that comes before it"),
        ({"right_child": -7}, "has a child that comes before it"),
        ({"feature": 99}, "asks for a feature that is not there"),
        ({"feature": -5}, "asks for a feature that is not there"),
        ({"left_child": -1}, "a node has one child"),
    ],
)
@pytest.mark.parametrize("estimator", [DecisionTreeClassifier, RandomForestClassifier])
def test_a_changed_node_is_found(estimator, fields, said):
    model = fitted(estimator(random_state=0))
    final = model[-1]
    tree = final.tree_ if estimator is DecisionTreeClassifier else final.estimators_[3].tree_
    change(tree, **fields)
    with pytest.raises(TerminalError, match=f"a tree of the model is damaged: .*{said}"):
        check_trees(model)


def test_a_circle_further_down_is_found():
    model = fitted(DecisionTreeClassifier(random_state=0))
    tree = model[-1].tree_
    state = tree.__getstate__()
    nodes = state["nodes"].copy()
    inner = np.flatnonzero(nodes["left_child"] != -1)[-1]
    nodes["left_child"][inner] = 0
    tree.__setstate__({**state, "nodes": nodes})
    with pytest.raises(TerminalError, match="comes before it"):
        check_trees(model)


@pytest.mark.parametrize(("field", "value"), [("left", 2_000_000_000), ("right", 0)])
def test_a_changed_node_of_gradient_boosting_is_found(field, value):
    model = fitted(HistGradientBoostingClassifier(max_iter=3))
    predictor = model[-1]._predictors[1][0]
    predictor.nodes = predictor.nodes.copy()
    predictor.nodes[field][0] = value
    with pytest.raises(TerminalError, match="has a child that"):
        check_trees(model)
