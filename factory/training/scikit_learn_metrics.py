"""scikit-learn's metrics of classes and numbers, by the names of its scorers without `neg_`, or of its functions.

What is computed for every model of a task is what a person looks at first; the others are computed where
a model names them.
"""

from dataclasses import replace
from math import inf, isfinite
from typing import TYPE_CHECKING, Any

from factory.training.metrics import Class, Goal, Metric, Needs, Parameter

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CLASSES = ("classification",)
_LABELS = ("classification", "multilabel")
_NUMBERS = ("regression", "forecasting")
_SEVERAL_NUMBERS = (*_NUMBERS, "multioutput_regression")
_OF_LABELS = ("multilabel",)
_OF_ONE_CLASS = ("classification", "anomaly")
"""The tasks in which one of two classes counts, and rows are ranked by how likely they are of it."""
_SHARE = (0, 1)


def is_class(values: "NDArray[Any]", positive: Class) -> "NDArray[Any]":
    """1 where a value is the class, 0 elsewhere.

    Classes that were made texts, as monitoring does where truth and predictions have different types, are
    compared as texts.
    """
    import numpy as np

    text = str(positive).lower() if isinstance(positive, bool) else str(positive)
    if values.dtype.kind == "O":
        return np.asarray((values == positive) | (values == text)).astype(int)
    return np.asarray(values == (text if values.dtype.kind == "U" else positive)).astype(int)


def _of_class(
    target: "NDArray[Any]",
    predicted: "NDArray[Any]",
    *,
    function: str,
    positive: Class,
    **options: Any,
) -> float:
    """A function of scikit-learn of what is of one class, and what is said to be."""
    from sklearn import metrics

    found = getattr(metrics, function)
    return float(found(is_class(target, positive), is_class(predicted, positive), **options))


def _likelihood_ratio(
    target: "NDArray[Any]", predicted: "NDArray[Any]", *, at: int, positive: Class
) -> float:
    from sklearn import metrics

    of_class = is_class(target, positive), is_class(predicted, positive)
    return float(metrics.class_likelihood_ratios(*of_class, labels=[0, 1])[at])


def _probability(
    probabilities: "NDArray[Any]", classes: "NDArray[Any]", positive: Class
) -> "NDArray[Any]":
    """The probability of one class, one a row."""
    import numpy as np

    columns = np.flatnonzero(is_class(classes, positive))
    if len(columns) != 1:
        raise ValueError(f"the model knows no class {positive!r}")
    found: NDArray[Any] = probabilities[:, columns[0]]
    return found


def _some_of_class(
    target: "NDArray[Any]",
    probabilities: "NDArray[Any]",
    classes: "NDArray[Any]",
    positive: Class,
) -> "tuple[NDArray[Any], NDArray[Any]]":
    """Which rows are of the class, and how probable that is of each."""
    truth = is_class(target, positive)
    if not truth.any():
        raise ValueError(f"none of these rows is of the class {positive!r}")
    return truth, _probability(probabilities, classes, positive)


def _average_precision(
    target: "NDArray[Any]",
    probabilities: "NDArray[Any]",
    classes: "NDArray[Any]",
    *,
    positive: Class,
) -> float:
    from sklearn import metrics

    truth, likely = _some_of_class(target, probabilities, classes, positive)
    return float(metrics.average_precision_score(truth, likely))


def _mean_average_precision(
    target: "NDArray[Any]",
    probabilities: "NDArray[Any]",
    classes: "NDArray[Any]",
    *,
    average: str,
) -> float:
    """The average precision of each class against the rest, or of each label, averaged."""
    from sklearn import metrics

    truth = target if target.ndim == 2 else target[:, None] == classes
    if target.ndim == 1 and not truth.any(axis=1).all():
        raise ValueError("these rows hold a class that the model does not know")
    return float(metrics.average_precision_score(truth.astype(int), probabilities, average=average))


def _precision_at_recall(
    target: "NDArray[Any]",
    probabilities: "NDArray[Any]",
    classes: "NDArray[Any]",
    *,
    positive: Class,
    recall: float,
) -> float:
    """The highest precision of all thresholds that have at least this recall."""
    from sklearn import metrics

    truth, likely = _some_of_class(target, probabilities, classes, positive)
    precisions, recalls, _ = metrics.precision_recall_curve(truth, likely)
    return float(precisions[recalls >= recall].max())


def _recall_at_precision(
    target: "NDArray[Any]",
    probabilities: "NDArray[Any]",
    classes: "NDArray[Any]",
    *,
    positive: Class,
    precision: float,
) -> float:
    """The highest recall of all thresholds that have at least this precision; 0 where none has."""
    from sklearn import metrics

    truth, likely = _some_of_class(target, probabilities, classes, positive)
    precisions, recalls, _ = metrics.precision_recall_curve(truth, likely)
    return float(recalls[precisions >= precision].max())


def _calibration_error(
    target: "NDArray[Any]",
    probabilities: "NDArray[Any]",
    classes: "NDArray[Any]",
    *,
    bins: int,
    positive: Class | None = None,
) -> float:
    """The expected calibration error, in bins of equal width (Guo et al. 2017).

    In each bin the mean probability is compared with how often what was said is right; with `positive`
    it is the probability of that class, without it that of the most probable one.
    """
    import numpy as np

    if positive is None:
        likely = probabilities.max(axis=1)
        right = (classes[probabilities.argmax(axis=1)] == target).astype(float)
    else:
        likely = _probability(probabilities, classes, positive)
        right = is_class(target, positive).astype(float)
    # The upper border belongs to a bin, as in the paper.
    place = np.clip(np.ceil(likely * bins).astype(int) - 1, 0, bins - 1)
    apart = np.bincount(place, weights=likely - right, minlength=bins)
    return float(np.abs(apart).sum() / len(target))


def _top_k_accuracy(
    target: "NDArray[Any]", probabilities: "NDArray[Any]", classes: "NDArray[Any]", *, k: int
) -> float:
    from sklearn import metrics

    # Of two classes scikit-learn takes the probability of the second alone.
    likely = probabilities[:, 1] if len(classes) == 2 else probabilities
    return float(metrics.top_k_accuracy_score(target, likely, k=k, labels=classes))


def _of_probabilities(
    target: "NDArray[Any]",
    probabilities: "NDArray[Any]",
    classes: "NDArray[Any]",
    *,
    function: str,
) -> float:
    """A function of scikit-learn that takes the probabilities of all classes."""
    from sklearn import metrics

    return float(getattr(metrics, function)(target, probabilities, labels=classes))


def _roc_auc(
    target: "NDArray[Any]",
    probabilities: "NDArray[Any]",
    classes: "NDArray[Any]",
    *,
    multi_class: str = "ovr",
    average: str = "macro",
) -> float:
    """The area under the ROC curve; of several classes, the mean of each one against the rest, or of each pair.

    Of two classes it is the same for each of them. Of labels it is the mean of theirs.
    """
    import numpy as np
    from sklearn import metrics

    if target.ndim == 2:
        return float(metrics.roc_auc_score(target, probabilities, average=average))
    if len(np.unique(target)) < 2:
        raise ValueError("these rows hold only one class")
    if len(classes) == 2:
        return float(metrics.roc_auc_score(target == classes[1], probabilities[:, 1]))
    return float(
        metrics.roc_auc_score(
            target, probabilities, multi_class=multi_class, average=average, labels=classes
        )
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def _is_share(value: Any) -> bool:
    return _is_number(value) and 0 <= value <= 1


def _is_positive_share(value: Any) -> bool:
    return _is_share(value) and value > 0


def _is_weight(value: Any) -> bool:
    return _is_number(value) and value >= 0


def _is_power(value: Any) -> bool:
    return _is_number(value) and not 0 < value < 1


def _is_count(value: Any) -> bool:
    return _is_number(value) and isinstance(value, int) and value >= 1


def _is_weighting(value: object) -> bool:
    return value in ("linear", "quadratic")


_BETA = {"beta": Parameter("a number from 0", _is_weight, is_required=True)}
_RECALL = {"recall": Parameter("a number above 0, at most 1", _is_positive_share, is_required=True)}
_PRECISION = {
    "precision": Parameter("a number above 0, at most 1", _is_positive_share, is_required=True)
}
_ALPHA = {"alpha": Parameter("a number from 0 to 1", _is_share, 0.5)}
_POWER = {"power": Parameter("a number from 1, or at most 0", _is_power, 0)}
_K = {"k": Parameter("a whole number from 1", _is_count, 2)}
_BINS = {"bins": Parameter("a whole number from 1", _is_count, 10)}
_WEIGHTS = {"weights": Parameter("`linear` or `quadratic`", _is_weighting)}


def _usual(name: str, function: str, **options: str | int) -> Metric:
    """A metric of predicted classes or labels that lies between 0 and 1, computed for every model."""
    found = f"sklearn.metrics:{function}"
    return Metric(name, _LABELS, "maximize", found, bounds=_SHARE, options=options)


def _named(
    name: str,
    function: str,
    *,
    goal: Goal = "maximize",
    bounds: tuple[float, float] = _SHARE,
    parameters: dict[str, Parameter] | None = None,
    tasks: tuple[str, ...] = _CLASSES,
    always_for: tuple[str, ...] = (),
    **options: str | int,
) -> Metric:
    """A metric of predicted classes that is computed on request."""
    return Metric(
        name,
        tasks,
        goal,
        f"sklearn.metrics:{function}",
        bounds=bounds,
        options=options,
        parameters=parameters or {},
        on_request=True,
        always_for=always_for,
    )


def _averaged(
    name: str,
    average: str,
    parameters: dict[str, Parameter] | None = None,
    *,
    tasks: tuple[str, ...] = _LABELS,
    always_for: tuple[str, ...] = (),
) -> Metric:
    """A metric of each class or label, or of the labels of each row, averaged, that is computed on request."""
    return _named(
        f"{name}_{average}",
        f"{name}_score",
        parameters=parameters,
        tasks=tasks,
        always_for=always_for,
        average=average,
        zero_division=0,
    )


def _of_positive(
    name: str, parameters: dict[str, Parameter] | None = None, *, on_request: bool = True
) -> Metric:
    """A metric of the class that counts, by predicted classes."""
    return Metric(
        name,
        _OF_ONE_CLASS,
        "maximize",
        _of_class,
        bounds=_SHARE,
        options={"function": f"{name}_score", "zero_division": 0},
        parameters=parameters or {},
        positive="required",
        on_request=on_request,
    )


def _ratio(name: str, goal: Goal, at: int) -> Metric:
    return Metric(
        name,
        _OF_ONE_CLASS,
        goal,
        _likelihood_ratio,
        options={"at": at},
        positive="required",
        on_request=True,
    )


def _curve(name: str, function: Any, parameters: dict[str, Parameter]) -> Metric:
    """A metric of the class that counts, by all thresholds of its probability."""
    return Metric(
        name,
        _OF_ONE_CLASS,
        "maximize",
        function,
        "ranking",
        bounds=_SHARE,
        parameters=parameters,
        positive="required",
        on_request=True,
    )


def _ranked(
    name: str,
    compute: Any,
    *,
    goal: Goal = "maximize",
    bounds: tuple[float, float] = _SHARE,
    tasks: tuple[str, ...] = _CLASSES,
    always_for: tuple[str, ...] = (),
    **options: str,
) -> Metric:
    """A metric of the probabilities of all classes that is computed on request."""
    return Metric(
        name,
        tasks,
        goal,
        compute,
        "probabilities",
        bounds=bounds,
        options=options,
        on_request=True,
        always_for=always_for,
    )


def _error(
    name: str,
    parameters: dict[str, Parameter] | None = None,
    *,
    tasks: tuple[str, ...] = _SEVERAL_NUMBERS,
    on_request: bool = True,
) -> Metric:
    """How far predicted numbers are off: 0 is the best."""
    return Metric(
        name,
        tasks,
        "minimize",
        f"sklearn.metrics:{name}",
        parameters=parameters or {},
        on_request=on_request,
    )


def _explained(
    name: str,
    function: str,
    parameters: dict[str, Parameter] | None = None,
    *,
    tasks: tuple[str, ...] = _SEVERAL_NUMBERS,
    on_request: bool = True,
) -> Metric:
    """How much of the numbers' spread is explained: 1 is the best."""
    return Metric(
        name,
        tasks,
        "maximize",
        f"sklearn.metrics:{function}",
        bounds=(-inf, 1),
        parameters=parameters or {},
        on_request=on_request,
    )


_PROBABILITIES: Needs = "probabilities"

ACCURACY = _usual("accuracy", "accuracy_score")
AVERAGE_PRECISION = Metric(
    "average_precision",
    _OF_ONE_CLASS,
    "maximize",
    _average_precision,
    "ranking",
    bounds=_SHARE,
    positive="required",
)
AVERAGE_PRECISION_MACRO = _ranked(
    "average_precision_macro",
    _mean_average_precision,
    tasks=_LABELS,
    always_for=_OF_LABELS,
    average="macro",
)
AVERAGE_PRECISION_MICRO = _ranked(
    "average_precision_micro", _mean_average_precision, tasks=_LABELS, average="micro"
)
AVERAGE_PRECISION_WEIGHTED = _ranked(
    "average_precision_weighted", _mean_average_precision, tasks=_LABELS, average="weighted"
)
BALANCED_ACCURACY = replace(_usual("balanced_accuracy", "balanced_accuracy_score"), tasks=_CLASSES)
BRIER_SCORE_LOSS = _ranked(
    "brier_score_loss",
    _of_probabilities,
    goal="minimize",
    bounds=(0, 2),
    function="brier_score_loss",
)
CALIBRATION_ERROR = Metric(
    "calibration_error",
    _CLASSES,
    "minimize",
    _calibration_error,
    _PROBABILITIES,
    bounds=_SHARE,
    parameters=_BINS,
    positive="optional",
    on_request=True,
)
COHEN_KAPPA = _named("cohen_kappa", "cohen_kappa_score", bounds=(-1, 1), parameters=_WEIGHTS)
D2_BRIER_SCORE = _ranked(
    "d2_brier_score", _of_probabilities, bounds=(-inf, 1), function="d2_brier_score"
)
D2_LOG_LOSS_SCORE = _ranked(
    "d2_log_loss_score", _of_probabilities, bounds=(-inf, 1), function="d2_log_loss_score"
)
F1 = _of_positive("f1", on_request=False)
F1_MACRO = _usual("f1_macro", "f1_score", average="macro", zero_division=0)
F1_MICRO = _averaged("f1", "micro", always_for=_OF_LABELS)
F1_WEIGHTED = _usual("f1_weighted", "f1_score", average="weighted", zero_division=0)
FBETA = _of_positive("fbeta", _BETA)
FBETA_MACRO = _averaged("fbeta", "macro", _BETA)
FBETA_MICRO = _averaged("fbeta", "micro", _BETA)
FBETA_WEIGHTED = _averaged("fbeta", "weighted", _BETA)
HAMMING_LOSS = _named(
    "hamming_loss", "hamming_loss", goal="minimize", tasks=_LABELS, always_for=_OF_LABELS
)
JACCARD = _of_positive("jaccard")
JACCARD_MACRO = _averaged("jaccard", "macro")
JACCARD_MICRO = _averaged("jaccard", "micro")
JACCARD_WEIGHTED = _averaged("jaccard", "weighted")
LOG_LOSS = Metric(
    "log_loss",
    _CLASSES,
    "minimize",
    _of_probabilities,
    _PROBABILITIES,
    options={"function": "log_loss"},
)
MATTHEWS_CORRCOEF = _named("matthews_corrcoef", "matthews_corrcoef", bounds=(-1, 1))
NEGATIVE_LIKELIHOOD_RATIO = _ratio("negative_likelihood_ratio", "minimize", 1)
POSITIVE_LIKELIHOOD_RATIO = _ratio("positive_likelihood_ratio", "maximize", 0)
PRECISION = _of_positive("precision", on_request=False)
PRECISION_AT_RECALL = _curve("precision_at_recall", _precision_at_recall, _RECALL)
PRECISION_MACRO = _usual("precision_macro", "precision_score", average="macro", zero_division=0)
PRECISION_MICRO = _averaged("precision", "micro")
PRECISION_WEIGHTED = _averaged("precision", "weighted")
RECALL = _of_positive("recall", on_request=False)
RECALL_AT_PRECISION = _curve("recall_at_precision", _recall_at_precision, _PRECISION)
RECALL_MACRO = _usual("recall_macro", "recall_score", average="macro", zero_division=0)
RECALL_MICRO = _averaged("recall", "micro")
RECALL_WEIGHTED = _averaged("recall", "weighted")
ROC_AUC = Metric(
    "roc_auc", (*_OF_ONE_CLASS, *_OF_LABELS), "maximize", _roc_auc, "ranking", bounds=_SHARE
)
ROC_AUC_OVO = _ranked("roc_auc_ovo", _roc_auc, multi_class="ovo")
ROC_AUC_OVO_WEIGHTED = _ranked(
    "roc_auc_ovo_weighted", _roc_auc, multi_class="ovo", average="weighted"
)
ROC_AUC_OVR = _ranked("roc_auc_ovr", _roc_auc, multi_class="ovr")
ROC_AUC_OVR_WEIGHTED = _ranked(
    "roc_auc_ovr_weighted", _roc_auc, multi_class="ovr", average="weighted"
)
TOP_K_ACCURACY = Metric(
    "top_k_accuracy",
    _CLASSES,
    "maximize",
    _top_k_accuracy,
    _PROBABILITIES,
    bounds=_SHARE,
    parameters=_K,
    on_request=True,
)
ZERO_ONE_LOSS = _named("zero_one_loss", "zero_one_loss", goal="minimize", tasks=_LABELS)

D2_ABSOLUTE_ERROR_SCORE = _explained("d2_absolute_error_score", "d2_absolute_error_score")
D2_PINBALL_SCORE = _explained("d2_pinball_score", "d2_pinball_score", _ALPHA)
D2_TWEEDIE_SCORE = _explained("d2_tweedie_score", "d2_tweedie_score", _POWER, tasks=_NUMBERS)
EXPLAINED_VARIANCE = _explained("explained_variance", "explained_variance_score")
MAX_ERROR = _error("max_error", tasks=_NUMBERS, on_request=False)
MEAN_ABSOLUTE_ERROR = _error("mean_absolute_error", on_request=False)
MEAN_ABSOLUTE_PERCENTAGE_ERROR = _error("mean_absolute_percentage_error", on_request=False)
MEAN_GAMMA_DEVIANCE = _error("mean_gamma_deviance", tasks=_NUMBERS)
MEAN_PINBALL_LOSS = _error("mean_pinball_loss", _ALPHA)
MEAN_POISSON_DEVIANCE = _error("mean_poisson_deviance", tasks=_NUMBERS)
MEAN_SQUARED_ERROR = _error("mean_squared_error")
MEAN_SQUARED_LOG_ERROR = _error("mean_squared_log_error")
MEAN_TWEEDIE_DEVIANCE = _error("mean_tweedie_deviance", _POWER, tasks=_NUMBERS)
MEDIAN_ABSOLUTE_ERROR = _error("median_absolute_error", on_request=False)
R2 = _explained("r2", "r2_score", on_request=False)
ROOT_MEAN_SQUARED_ERROR = _error("root_mean_squared_error", on_request=False)
ROOT_MEAN_SQUARED_LOG_ERROR = _error("root_mean_squared_log_error")
