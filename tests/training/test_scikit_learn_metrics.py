"""scikit-learn's metrics have its values, and all of them are there that score classes or numbers."""

import re
import warnings
from pathlib import Path

import numpy as np
import pytest
from sklearn import metrics
from sklearn.preprocessing import label_binarize

from factory.kinds import METRIC
from factory.trainers.trainer import Predictions
from factory.training.metrics import Metric, find_metric, score

CLASSES = ("a", "b", "c")
NUMBERS = np.random.default_rng(5)
TRUE = np.array(CLASSES, dtype=object)[NUMBERS.integers(0, 3, 200)]
LIKELY = NUMBERS.dirichlet([1, 1, 1], 200) + 0.4 * label_binarize(TRUE, classes=CLASSES)
LIKELY /= LIKELY.sum(axis=1, keepdims=True)
SAID = np.array(CLASSES, dtype=object)[LIKELY.argmax(axis=1)]
OF_THREE = Predictions(SAID, LIKELY, np.array(CLASSES, dtype=object))

TRUE_2 = np.where(NUMBERS.random(200) < 0.3, "yes", "no").astype(object)
IS_YES = (TRUE_2 == "yes").astype(int)
LIKELY_YES = np.clip(0.3 * IS_YES + NUMBERS.random(200) * 0.7, 0, 1)
SAID_2 = np.where(LIKELY_YES > 0.5, "yes", "no").astype(object)
SAID_YES = (SAID_2 == "yes").astype(int)
OF_TWO = Predictions(
    SAID_2, np.column_stack([1 - LIKELY_YES, LIKELY_YES]), np.array(["no", "yes"], dtype=object)
)

REAL = NUMBERS.gamma(2, 3, 200)
GUESSED = REAL * NUMBERS.uniform(0.7, 1.4, 200)
OF_NUMBERS = Predictions(GUESSED)

BY_FUNCTION = {
    "average_precision_score": "average_precision",
    "class_likelihood_ratios": "positive_likelihood_ratio",
    "cohen_kappa_score": "cohen_kappa",
    "fbeta_score": "fbeta",
    "f1_score": "f1",
    "jaccard_score": "jaccard",
    "label_ranking_average_precision_score": "label_ranking_average_precision",
    "precision_score": "precision",
    "precision_recall_fscore_support": "precision",
    "recall_score": "recall",
    "roc_auc_score": "roc_auc",
    "top_k_accuracy_score": "top_k_accuracy",
    "accuracy_score": "accuracy",
    "balanced_accuracy_score": "balanced_accuracy",
    "explained_variance_score": "explained_variance",
    "r2_score": "r2",
}
"""Functions that are there under the name of their scorer, or of one of the numbers that they return."""

CLUSTERS = "compares clusterings"
NOT_THERE = {
    **dict.fromkeys(
        (
            "adjusted_mutual_info_score", "adjusted_rand_score", "calinski_harabasz_score", "cluster",
            "completeness_score", "consensus_score", "davies_bouldin_score", "fowlkes_mallows_score",
            "homogeneity_completeness_v_measure", "homogeneity_score", "mutual_info_score",
            "normalized_mutual_info_score", "pair_confusion_matrix", "rand_score",
            "silhouette_samples", "silhouette_score", "v_measure_score",
        ),
        CLUSTERS,
    ),
    **dict.fromkeys(("dcg_score", "ndcg_score"), "is for rankings"),
    **dict.fromkeys(
        ("auc", "classification_report", "confusion_matrix", "confusion_matrix_at_thresholds",
         "multilabel_confusion_matrix",
         "det_curve", "metric_at_thresholds", "precision_recall_curve", "roc_curve"),
        "is no single number of a model",
    ),
    **dict.fromkeys(
        ("DistanceMetric", "euclidean_distances", "nan_euclidean_distances", "pairwise_distances",
         "pairwise_distances_argmin", "pairwise_distances_argmin_min", "pairwise_distances_chunked",
         "pairwise_kernels"),
        "measures distances between rows",
    ),
    **dict.fromkeys(
        ("ConfusionMatrixDisplay", "DetCurveDisplay", "PrecisionRecallDisplay",
         "PredictionErrorDisplay", "RocCurveDisplay"),
        "is a plot",
    ),
    **dict.fromkeys(
        ("check_scoring", "get_scorer", "get_scorer_names", "make_scorer"), "makes scorers"
    ),
    "hinge_loss": "needs the decision function, which a trained model is not asked for",
}  # fmt: skip
"""What of scikit-learn's metrics is no metric here, and why."""


def is_there(name: str) -> bool:
    return BY_FUNCTION.get(name, name.removeprefix("neg_")) in METRIC.builtin


@pytest.mark.parametrize("name", sorted({*metrics.__all__, *metrics.get_scorer_names()}))
def test_each_of_scikit_learn_is_there_or_has_its_reason_not_to_be(name):
    brier = {"neg_brier_score": "brier_score_loss"}.get(name, name)
    assert is_there(brier) != (name in NOT_THERE), name


def of(name: str, **params: object) -> Metric:
    return find_metric(name).named(name, params).of_class("yes")


def averaged(name: str, **options: object) -> dict[str, float]:
    function = getattr(metrics, f"{name}_score")
    return {
        f"{name}_{average}": function(TRUE, SAID, average=average, **options)
        for average in ("macro", "micro", "weighted")
    }


def test_metrics_of_predicted_classes_are_scikit_learns():
    expected = {
        "accuracy": metrics.accuracy_score(TRUE, SAID),
        "balanced_accuracy": metrics.balanced_accuracy_score(TRUE, SAID),
        "cohen_kappa": metrics.cohen_kappa_score(TRUE, SAID),
        "hamming_loss": metrics.hamming_loss(TRUE, SAID),
        "matthews_corrcoef": metrics.matthews_corrcoef(TRUE, SAID),
        "zero_one_loss": metrics.zero_one_loss(TRUE, SAID),
        **averaged("f1"),
        **averaged("jaccard"),
        **averaged("precision"),
        **averaged("recall"),
    }
    assert score([of(name) for name in expected], TRUE, OF_THREE).values == expected
    twos = averaged("fbeta", beta=2)
    assert score([of(name, beta=2) for name in twos], TRUE, OF_THREE).values == twos
    weighted = metrics.cohen_kappa_score(TRUE, SAID, weights="linear")
    assert of("cohen_kappa", weights="linear").compute(TRUE, OF_THREE) == weighted


def test_metrics_of_probabilities_are_scikit_learns():
    expected = {
        "brier_score_loss": metrics.brier_score_loss(TRUE, LIKELY),
        "d2_brier_score": metrics.d2_brier_score(TRUE, LIKELY),
        "d2_log_loss_score": metrics.d2_log_loss_score(TRUE, LIKELY),
        "log_loss": metrics.log_loss(TRUE, LIKELY),
        "top_k_accuracy": metrics.top_k_accuracy_score(TRUE, LIKELY),
        "roc_auc": metrics.roc_auc_score(TRUE, LIKELY, multi_class="ovr"),
        **{
            f"roc_auc_{way}{suffix}": metrics.roc_auc_score(
                TRUE, LIKELY, multi_class=way, average=average
            )
            for way in ("ovr", "ovo")
            for suffix, average in (("", "macro"), ("_weighted", "weighted"))
        },
        **{
            f"average_precision_{average}": metrics.average_precision_score(
                TRUE, LIKELY, average=average
            )
            for average in ("macro", "micro", "weighted")
        },
    }
    assert score([of(name) for name in expected], TRUE, OF_THREE).values == expected
    assert of("top_k_accuracy", k=1).compute(TRUE, OF_THREE) == metrics.accuracy_score(TRUE, SAID)


def test_metrics_of_the_class_that_counts_are_scikit_learns():
    ratios = metrics.class_likelihood_ratios(IS_YES, SAID_YES)
    expected = {
        "average_precision": metrics.average_precision_score(IS_YES, LIKELY_YES),
        "f1": metrics.f1_score(TRUE_2, SAID_2, pos_label="yes"),
        "jaccard": metrics.jaccard_score(TRUE_2, SAID_2, pos_label="yes"),
        "precision": metrics.precision_score(TRUE_2, SAID_2, pos_label="yes"),
        "recall": metrics.recall_score(TRUE_2, SAID_2, pos_label="yes"),
        "positive_likelihood_ratio": ratios[0],
        "negative_likelihood_ratio": ratios[1],
    }
    assert score([of(name) for name in expected], TRUE_2, OF_TWO).values == expected
    half = metrics.fbeta_score(TRUE_2, SAID_2, beta=0.5, pos_label="yes")
    assert of("fbeta", beta=0.5).compute(TRUE_2, OF_TWO) == half
    no = find_metric("recall").of_class("no").compute(TRUE_2, OF_TWO)
    assert no == metrics.recall_score(TRUE_2, SAID_2, pos_label="no")


@pytest.mark.parametrize("positive", ["yes", "no"])
@pytest.mark.parametrize("name", ["roc_auc", "roc_auc_ovo", "brier_score_loss", "d2_brier_score"])
def test_some_metrics_of_two_classes_are_the_same_for_each_of_them(name, positive):
    function = {
        "roc_auc": metrics.roc_auc_score,
        "roc_auc_ovo": metrics.roc_auc_score,
        "brier_score_loss": metrics.brier_score_loss,
        "d2_brier_score": metrics.d2_brier_score,
    }[name]
    likely = LIKELY_YES if positive == "yes" else 1 - LIKELY_YES
    found = find_metric(name).of_class(positive).compute(TRUE_2, OF_TWO)
    assert found == pytest.approx(function(positive == TRUE_2, likely), rel=1e-12)


def test_metrics_of_numbers_are_scikit_learns():
    named = {name: getattr(metrics, name) for name in METRIC.builtin if hasattr(metrics, name)}
    named |= {"explained_variance": metrics.explained_variance_score, "r2": metrics.r2_score}
    expected = {
        name: function(REAL, GUESSED)
        for name, function in named.items()
        if "regression" in find_metric(name).tasks
    }
    assert len(expected) == 17
    assert score([of(name) for name in expected], REAL, OF_NUMBERS).values == expected
    for name, params in (
        ("mean_pinball_loss", {"alpha": 0.9}),
        ("d2_pinball_score", {"alpha": 0.1}),
        ("mean_tweedie_deviance", {"power": 1.5}),
        ("d2_tweedie_score", {"power": 1.5}),
    ):
        value = getattr(metrics, name)(REAL, GUESSED, **params)
        assert of(name, **params).compute(REAL, OF_NUMBERS) == value


def test_precision_at_a_recall_is_the_highest_of_all_thresholds_that_have_it():
    def at(threshold: float) -> tuple[float, float]:
        said = threshold <= LIKELY_YES
        return metrics.precision_score(IS_YES, said), metrics.recall_score(IS_YES, said)

    each = [at(threshold) for threshold in np.unique(LIKELY_YES)]
    best = max(precision for precision, recall in each if recall >= 0.9)
    assert of("precision_at_recall", recall=0.9).compute(TRUE_2, OF_TWO) == pytest.approx(best)
    most = max(recall for precision, recall in each if precision >= 0.8)
    assert of("recall_at_precision", precision=0.8).compute(TRUE_2, OF_TWO) == pytest.approx(most)


def test_recall_is_nothing_where_no_threshold_has_the_precision():
    upside_down = Predictions(SAID_2, OF_TWO.probabilities[:, ::-1], OF_TWO.classes)
    assert of("recall_at_precision", precision=1.0).compute(TRUE_2, upside_down) == 0


def test_calibration_error_is_how_far_probabilities_are_from_what_happens():
    truth = np.array([1, 1, 0, 0, 1], dtype=object)
    likely = np.array([0.95, 0.85, 0.15, 0.25, 0.25])
    said = Predictions(truth, np.column_stack([1 - likely, likely]), np.array([0, 1], dtype=object))
    error = find_metric("calibration_error")
    # Bins of a fifth: {0.95, 0.85} are right, of {0.15} none is, of {0.25, 0.25} half.
    of_class = error.named("e", {"bins": 5}).of_class(1).compute(truth, said)
    assert of_class == pytest.approx((0.2 + 0.15 + 0.5) / 5)
    # Of what is said, 0.95, 0.85, 0.85 and two of 0.75, only the last is wrong.
    assert error.named("e", {"bins": 1}).compute(truth, said) == pytest.approx(0.83 - 0.8)


@pytest.mark.parametrize(
    ("values", "positive"),
    [
        (np.array(["yes", "no"], dtype=object), "yes"),
        (np.array(["yes", "no"]), "yes"),
        (np.array([3, 1]), 3),
        (np.array([True, False]), True),
        (np.array([True, False], dtype=object), False),
        # As monitoring compares them where truth and predictions have different types.
        (np.array(["3", "1"], dtype=object), 3),
        (np.array(["true", "false"], dtype=object), True),
    ],
)
def test_the_class_that_counts_is_found_in_whatever_type_classes_have(values, positive):
    metric = find_metric("recall").of_class(positive)
    assert metric.compute(values, Predictions(values)) == 1.0
    assert metric.compute(values, Predictions(values[::-1])) == 0.0


@pytest.mark.parametrize(
    ("name", "truth", "why"),
    [
        ("average_precision", ["no", "no"], "none of these rows is of the class 'yes'"),
        ("roc_auc", ["no", "no"], "these rows hold only one class"),
        ("average_precision_macro", ["no", "maybe"], "a class that the model does not know"),
        ("positive_likelihood_ratio", ["no", "no"], "it is nan for these rows"),
    ],
)
def test_what_is_undefined_for_the_rows_is_skipped(name, truth, why):
    said = Predictions(OF_TWO.values[:2], OF_TWO.probabilities[:2], OF_TWO.classes)
    scores = score([of(name)], np.array(truth, dtype=object), said)
    assert why in scores.skipped[name]


def test_a_class_that_the_model_does_not_know_has_no_probability():
    truth = np.array(["perhaps", "no"], dtype=object)
    said = Predictions(truth, OF_TWO.probabilities[:2], OF_TWO.classes)
    scores = score([find_metric("average_precision").of_class("perhaps")], truth, said)
    assert scores.skipped == {"average_precision": "the model knows no class 'perhaps'"}


LABELS = np.random.default_rng(1).integers(0, 2, (8, 3))
OF_LABELS = Predictions(
    np.random.default_rng(2).integers(0, 2, (8, 3)),
    np.random.default_rng(3).uniform(0, 1, (8, 3)),
    np.array(["spam", "urgent", "billing"], dtype=object),
)


@pytest.mark.parametrize(
    ("name", "function", "options", "of_scores"),
    [
        ("f1_samples", "f1_score", {"average": "samples", "zero_division": 0}, False),
        ("precision_samples", "precision_score", {"average": "samples", "zero_division": 0}, False),
        ("recall_samples", "recall_score", {"average": "samples", "zero_division": 0}, False),
        ("jaccard_samples", "jaccard_score", {"average": "samples", "zero_division": 0}, False),
        ("f1_micro", "f1_score", {"average": "micro"}, False),
        ("hamming_loss", "hamming_loss", {}, False),
        ("accuracy", "accuracy_score", {}, False),
        ("zero_one_loss", "zero_one_loss", {}, False),
        ("roc_auc", "roc_auc_score", {}, True),
        ("average_precision_macro", "average_precision_score", {}, True),
        ("average_precision_samples", "average_precision_score", {"average": "samples"}, True),
        (
            "label_ranking_average_precision",
            "label_ranking_average_precision_score",
            {},
            True,
        ),
        ("label_ranking_loss", "label_ranking_loss", {}, True),
        ("coverage_error", "coverage_error", {}, True),
    ],
)
def test_metrics_of_labels_are_scikit_learns(name, function, options, of_scores):
    said = OF_LABELS.probabilities if of_scores else OF_LABELS.values
    expected = getattr(metrics, function)(LABELS, said, **options)
    assert find_metric(name).compute(LABELS, OF_LABELS) == pytest.approx(expected)


def test_every_value_is_within_the_bounds_of_its_metric():
    random = np.random.default_rng(0)
    points = random.normal(size=(8, 2))
    given = {
        "classification": (TRUE_2, OF_TWO),
        "regression": (REAL, OF_NUMBERS),
        "anomaly": (
            None,
            Predictions(
                np.arange(8) > 5,
                classes=np.array([False, True]),
                columns={"score": np.arange(8.0)},
                background=random.uniform(0, 8, 100),
            ),
        ),
        "clustering": (np.arange(8) % 3, Predictions(np.arange(8) % 2, points=points)),
        "forecasting": (REAL, OF_NUMBERS.with_about({"scale": abs(REAL) + 1})),
        "multilabel": (LABELS, OF_LABELS),
        "ranking": (abs(REAL), OF_NUMBERS.with_about({"group": np.arange(len(REAL)) // 3})),
    }
    params = {"beta": 2, "recall": 0.5, "precision": 0.5}
    for name in METRIC.builtin:
        kind = find_metric(name)
        target, said = given[kind.tasks[0]]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value = of(name, **{key: params[key] for key in kind.unwritten}).compute(target, said)
        assert kind.bounds[0] <= value <= kind.bounds[1], name


def test_the_docs_list_what_is_computed_for_every_model_and_what_on_request():
    page = (Path(__file__).parents[2] / "docs/metrics.md").read_text()
    rows = [line.split("|")[1:4] for line in page.splitlines() if line.startswith("| ")]
    found = [
        (task.strip(), [set(re.findall(r"`(\w+)`", cell)) for cell in cells])
        for task, *cells in (*rows[:8], *rows[10:12])
    ]
    told = dict((*found[:4], *found[-2:]))
    kinds = [find_metric(name) for name in METRIC.builtin]

    def named(task: str, *, on_request: bool, needs_class: bool) -> set[str]:
        return {
            one.name
            for one in kinds
            if task in one.tasks
            and (one.on_request and task not in one.always_for) == on_request
            and (one.positive == "required") == needs_class
        }

    for row, task, needs_class in (
        ("classification", "classification", False),
        ("the same, with `positive`", "classification", True),
        ("regression", "regression", False),
        ("multilabel", "multilabel", False),
        ("regression of several targets", "multioutput_regression", False),
    ):
        assert told[row] == [
            named(task, on_request=asked, needs_class=needs_class) for asked in (False, True)
        ]
    for task, (without, with_target) in (
        ("anomaly", (found[4], found[5])),
        ("clustering", (found[6], found[7])),
    ):
        assert without[0] == task
        for told_of, uses_target in ((without[1], False), (with_target[1], True)):
            assert told_of == [
                {
                    one.name
                    for one in kinds
                    if (task in one.tasks, one.on_request, one.uses_target)
                    == (True, asked, uses_target)
                }
                for asked in (False, True)
            ]
