"""scikit-learn's metrics of the labels of each row, by its names; those of each label are in `scikit_learn_metrics`."""

from collections.abc import Callable
from math import inf
from typing import TYPE_CHECKING, Any

from factory.training.metrics import Goal, Metric

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LABELS = ("multilabel",)
_SHARE = (0, 1)


def _of_rows(name: str, *, on_request: bool = False) -> Metric:
    """A metric of the labels of each row, and of all rows their mean."""
    return Metric(
        f"{name}_samples",
        _LABELS,
        "maximize",
        f"sklearn.metrics:{name}_score",
        bounds=_SHARE,
        options={"average": "samples", "zero_division": 0},
        on_request=on_request,
    )


def _of_scores(function: str, **options: str) -> Callable[..., float]:
    """A function of scikit-learn that takes the probabilities of all labels."""

    def compute(
        target: "NDArray[Any]", probabilities: "NDArray[Any]", labels: "NDArray[Any]"
    ) -> float:
        from sklearn import metrics

        del labels
        return float(getattr(metrics, function)(target, probabilities, **options))

    return compute


def _ranking(
    name: str,
    function: str,
    *,
    goal: Goal = "maximize",
    bounds: tuple[float, float] = _SHARE,
    on_request: bool = False,
    **options: str,
) -> Metric:
    compute = _of_scores(function, **options)
    return Metric(
        name, _LABELS, goal, compute, "probabilities", bounds=bounds, on_request=on_request
    )


F1_SAMPLES = _of_rows("f1")
JACCARD_SAMPLES = _of_rows("jaccard")
PRECISION_SAMPLES = _of_rows("precision", on_request=True)
RECALL_SAMPLES = _of_rows("recall", on_request=True)
AVERAGE_PRECISION_SAMPLES = _ranking(
    "average_precision_samples", "average_precision_score", on_request=True, average="samples"
)
LABEL_RANKING_AVERAGE_PRECISION = _ranking(
    "label_ranking_average_precision", "label_ranking_average_precision_score"
)
LABEL_RANKING_LOSS = _ranking(
    "label_ranking_loss", "label_ranking_loss", goal="minimize", on_request=True
)
COVERAGE_ERROR = _ranking(
    "coverage_error", "coverage_error", goal="minimize", bounds=(0, inf), on_request=True
)
"""How many labels, the most probable ones first, have all that a row has."""
