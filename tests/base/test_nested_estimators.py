"""How estimators within parameters are found and named."""

from factory.base.nested_estimators import (
    flat_params,
    has_nested,
    is_named,
    is_nested,
    names_of_nested,
    nested_at_any_depth,
    nested_paths,
)

SVC = {"estimator": "sklearn.svm.SVC", "params": {"C": [1, 10]}}
TREE = {"estimator": "sklearn.tree.DecisionTreeClassifier"}
BAGS = {"estimator": "sklearn.ensemble.BaggingClassifier", "params": {"estimator": SVC, "n": 3}}


def test_a_mapping_without_a_path_is_no_estimator():
    assert is_nested(SVC)
    assert not is_nested({"estimator": 2})
    assert not is_nested({"linspace": [0, 1, 2]})
    assert not is_named({"balanced": 1.0})
    assert not is_named(SVC)
    assert is_named({"tree": TREE, "other": "drop"})
    assert has_nested([["tree", TREE]])


def test_estimators_are_found_at_any_depth_with_their_places():
    params = {"estimators": {"bags": BAGS, "tree": [TREE, SVC]}, "weights": None}
    assert [path for path, _ in nested_at_any_depth(params)] == [
        ("estimators", "bags"),
        ("estimators", "bags", "params", "estimator"),
        ("estimators", "tree", 0),
        ("estimators", "tree", 1),
    ]
    assert nested_paths(params) == (
        "sklearn.ensemble.BaggingClassifier",
        "sklearn.svm.SVC",
        "sklearn.tree.DecisionTreeClassifier",
    )
    assert names_of_nested(params) == {"bags", "tree"}


def test_flat_names_are_those_of_scikit_learn():
    params = {"estimators": {"bags": BAGS, "tree": TREE}, "voting": "soft"}
    assert flat_params(params) == {
        "bags__estimator": "sklearn.ensemble.BaggingClassifier",
        "bags__estimator__estimator": "sklearn.svm.SVC",
        "bags__estimator__C": [1, 10],
        "bags__n": 3,
        "tree__estimator": "sklearn.tree.DecisionTreeClassifier",
        "voting": "soft",
    }
