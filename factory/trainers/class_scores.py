"""`scoring` of estimators that choose something by themselves, such as a threshold: by the class that counts.

scikit-learn's words for scores of one of two classes mean the class 1, which classes that are texts do not have.
"""

from collections.abc import Mapping
from typing import Any

from factory.base.nested_estimators import is_named, is_nested, params_of

_SCORING = "scoring"
_CHOOSE = "sklearn.model_selection."
"""Where the estimators are that take a scorer as it is; LogisticRegressionCV makes one of its own of it."""
_OF_ONE_CLASS = {
    "average_precision": "average_precision_score",
    "f1": "f1_score",
    "jaccard": "jaccard_score",
    "precision": "precision_score",
    "recall": "recall_score",
}
"""scikit-learn's words, and its functions that take the class as `pos_label`."""
_OF_RANKING = ("average_precision",)


_HANDS_CLASSES_ON = (
    "imblearn.pipeline.Pipeline",
    "sklearn.calibration.CalibratedClassifierCV",
    "sklearn.model_selection.FixedThresholdClassifier",
    "sklearn.model_selection.GridSearchCV",
    "sklearn.model_selection.RandomizedSearchCV",
    "sklearn.model_selection.TunedThresholdClassifierCV",
    "sklearn.pipeline.Pipeline",
)
"""Estimators within which classes are what they are; others hand on numbers, of which scikit-learn's words are true."""

Class = bool | int | str


def with_scorers(path: str, params: Mapping[str, Any], positive: Class | None) -> dict[str, Any]:
    """Parameters with a scorer of the class that counts in place of scikit-learn's word for one.

    Args:
        path: The estimator's dotted path.
        params: Its parameters, each with one value.
        positive: The class; None leaves words as they are.
    """
    if positive is None:
        return dict(params)
    return {name: _with_scorers(path, name, value, positive) for name, value in params.items()}


def _with_scorers(path: str, name: str, value: Any, positive: Class) -> Any:
    if is_nested(value) and path in _HANDS_CLASSES_ON:
        inner = with_scorers(value["estimator"], params_of(value), positive)
        return {**value, "params": inner}
    if is_named(value):
        return with_scorers(path, value, positive)
    is_word = isinstance(value, str) and value in _OF_ONE_CLASS
    if name != _SCORING or not is_word or not path.startswith(_CHOOSE):
        return value
    from sklearn import metrics

    function = getattr(metrics, _OF_ONE_CLASS[value])
    if value in _OF_RANKING:
        asked = ("decision_function", "predict_proba")
        return metrics.make_scorer(function, response_method=asked, pos_label=positive)
    return metrics.make_scorer(function, pos_label=positive)
