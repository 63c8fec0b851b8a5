"""`monitor`: how a model is watched once it is in use.

The words are those of Evidently and NannyML: a *reference* (what the model was trained on) is compared
with the *current* rows, one window after the other.
"""

from typing import Annotated, Literal

from pydantic import Field
from pydantic_core import PydanticCustomError

from factory.base.rules import Broken, rule
from factory.base.section import ListOf, Reference, Section, Text
from factory.base.texts import one_of
from factory.models.promotion import Bounds
from factory.models.retraining import RetrainWhen
from factory.team.schedule import ScheduleField
from factory.training.metrics import NamableMetrics

Where = tuple[str | int, ...]

# Presets that are no points in time, which is what Airflow can join with news of assets.
_NO_TIMES = frozenset({"@once", "@continuous"})


class Psi(Section):
    """Population stability index; above `threshold` a column has drifted.

    By the usual rule of thumb, 0.1 is a small shift and 0.2 a considerable one, whatever the
    number of rows.
    """

    method: Literal["psi"]
    threshold: float = Field(default=0.2, gt=0)
    """The index above which a column has drifted: 0.1 is usually called a small shift, 0.2 a considerable one."""


class _Test(Section):
    """A significance test: drifted when the difference is both significant and large enough."""

    p_value: float = Field(default=0.01, gt=0, lt=1)
    """The probability of chance below which a difference counts, if it is also above `min_effect`."""
    min_effect: float = Field(default=0.1, ge=0, lt=1)
    """The size of the effect, from 0 to 1, above which a difference counts."""


class KolmogorovSmirnov(_Test):
    """The two-sample test; the effect is its statistic, the largest distance of the two curves."""

    method: Literal["kolmogorov_smirnov"]


class ChiSquared(_Test):
    """The test of homogeneity; the effect is Cramér's V."""

    method: Literal["chi_squared"]


NumericMethod = Annotated[Psi | KolmogorovSmirnov, Field(discriminator="method")]
CategoricalMethod = Annotated[Psi | ChiSquared, Field(discriminator="method")]


class Drift(Section):
    """How rows and predictions of today are compared with those of the training."""

    numeric: NumericMethod = Psi.unwritten(method="psi")
    """How features that are numbers are compared."""
    categorical: CategoricalMethod = Psi.unwritten(method="psi")
    """How features that are categories are compared."""
    columns: ListOf[Text] | None = Field(default=None, min_length=1)
    """Which features; all but points in time, which always move on, when left out."""
    min_columns: int = Field(default=1, ge=1)
    """How many features must have drifted before it counts."""
    prediction: bool = True
    """Whether a drift of the predictions counts too."""

    @rule
    def _possible(self) -> Broken:
        if self.columns is not None and self.min_columns > len(self.columns):
            yield PydanticCustomError(
                "columns",
                "{wanted} columns can never drift where {listed} are watched: lower `min_columns`",
                {
                    "wanted": self.min_columns,
                    "listed": len(self.columns),
                    "at": ("min_columns",),
                },
            )


class GroundTruth(Section):
    """Where it is published, sooner or later, what would have been right."""

    dataset: Reference
    """The dataset in which it is published what would have been right."""
    keys: ListOf[Text] = Field(min_length=1)
    """The columns that identify a row, in `dataset` and among the predictions."""
    column: Text | None = None
    """The column with the truth; named like the model's target when left out. Of several targets each has the column of
    its name."""
    lookback: int = Field(default=10, ge=1, le=1000)
    """How many snapshots of predictions are looked through, as truth comes late."""
    min_rows: int = Field(default=100, ge=1)
    """With fewer rows whose truth is known, metrics are shown and do not count."""


class Windows(Section):
    """A breach is acted on when `breach` of the last `of` windows are bad, the newest among them."""

    breach: int = Field(default=1, ge=1, le=1000)
    """How many of the last `of` windows must be bad before something is done."""
    of: int = Field(default=1, ge=1, le=1000)
    """How many windows are looked at, the newest among them."""

    @rule
    def _possible(self) -> Broken:
        if self.breach > self.of:
            yield PydanticCustomError(
                "windows",
                "{breach} of the last {of} windows can never be bad: raise `of`, or lower `breach`",
                {"breach": self.breach, "of": self.of, "at": ("of",)},
            )


class Monitor(Section):
    """What a model is watched for, and what happens then; the DAG `<team>.<model>.monitor`."""

    schedule: ScheduleField | None = None
    """When; each time that there are new predictions (or rows to train on) when left out."""
    input: Reference | None = None
    """The dataset with today's rows; `predict.input`, or the first of `train_on`, when left out."""
    drift: Drift = Drift.unwritten()
    """How rows and predictions of today are compared with those of the training."""
    truth: GroundTruth | None = None
    """Where it is published later what would have been right; quality is not measured when left out."""
    quality: dict[Text, Bounds] | None = Field(
        default=None, min_length=1, examples=[{"f1_macro": {"min": 0.7}}]
    )
    """Limits of metrics, by scikit-learn's names; needs `truth`."""
    windows: Windows = Windows.unwritten()
    """How many bad windows make a breach; each one does when left out."""
    on_breach: ListOf[Literal["notify", "retrain"]] = ("notify",)
    """What a breach does: `notify` sends the message `on_breach`, `retrain` starts a training."""
    sample_rows: int = Field(default=100_000, ge=100, le=10_000_000)
    """At most so many rows of either side are compared, drawn at random with a fixed seed."""
    min_rows: int = Field(default=100, ge=2)
    """A window of fewer rows is shown and does not count: it could differ by chance alone."""

    @rule
    def _consistent(self) -> Broken:
        if self.quality is not None and self.truth is None:
            yield PydanticCustomError(
                "quality",
                "`quality` needs `truth`: name the dataset that tells what would have been right",
                {"at": ("quality",)},
            )

    @property
    def retrains(self) -> bool:
        """Whether a breach starts a training."""
        return "retrain" in self.on_breach


def check_monitor(
    monitor: Monitor,
    *,
    metrics: NamableMetrics,
    targets: tuple[str, ...],
    features: tuple[str, ...] | None,
    predictions: tuple[str, ...] | None,
    trains_at: str | None,
    rules: RetrainWhen | None,
) -> Broken:
    """Check what depends on the rest of the model's section.

    Args:
        monitor: The section.
        metrics: Those that the model may name.
        targets: The model's targets.
        features: The model's features, if they are listed.
        predictions: The columns that predictions keep, if the model predicts.
        trains_at: The cron expression or preset by which the model is trained, if any.
        rules: When it is worth training again, if not always.

    Returns:
        What is wrong, with its place below the model in `at`.
    """
    yield from _check_metrics(monitor, metrics)
    for index, column in enumerate(monitor.drift.columns or ()):
        yield from _check_column(column, targets, features, ("monitor", "drift", "columns", index))
    if monitor.truth is not None:
        yield from _check_truth(monitor.truth, targets, predictions)
    if monitor.retrains:
        yield from _check_training(trains_at, rules)


def _check_training(trains_at: str | None, rules: RetrainWhen | None) -> Broken:
    if trains_at in _NO_TIMES:
        yield PydanticCustomError(
            "schedule",
            "a training that runs {preset} cannot be started by drift too: write another schedule, "
            "or leave `retrain` out of `on_breach`",
            {"preset": trains_at, "at": ("schedule",)},
        )
    if rules is not None and not rules.drift:
        yield PydanticCustomError(
            "retrain_when",
            "drift starts trainings here (`on_breach` of `monitor`), and these rules skip them: "
            "add `drift: true`",
            {"at": ("retrain_when",)},
        )


def _check_metrics(monitor: Monitor, known: NamableMetrics) -> Broken:
    for name in monitor.quality or ():
        at = ("monitor", "quality", name)
        yield from known.check(name, at)
        metric = known.find(name)
        # Stored predictions carry the probability of the predicted class only, or those of all labels.
        has_needed = metric is None or metric.needs == "values" or known.task == "multilabel"
        if metric is not None and metric.uses_target and not has_needed:
            yield PydanticCustomError(
                "metric",
                "{value} needs the probability of every class, and predictions carry only the highest"
                if known.task == "classification"
                else "{value} ranks rows by their score, and only what is predicted is compared with the truth",
                {
                    "value": repr(name),
                    "advice": "write a metric of the predicted classes, such as f1_macro"
                    if known.task == "classification"
                    else "write a metric of the predictions, such as f1",
                    "at": at,
                },
            )
        if metric is not None and not metric.uses_target:
            yield PydanticCustomError(
                "metric",
                "{value} compares nothing with the truth, and `quality` is about what turned out to be right",
                {
                    "value": repr(name),
                    "advice": "take it away; `drift` looks at predictions without truth",
                    "at": at,
                },
            )
        if metric is not None and metric.about:
            yield PydanticCustomError(
                "metric",
                "{value} needs the {about} of each row, which only training knows",
                {
                    "value": repr(name),
                    "about": one_of(metric.about),
                    "advice": "write another, such as mean_absolute_error",
                    "at": at,
                },
            )


def _check_column(
    column: str, targets: tuple[str, ...], features: tuple[str, ...] | None, at: Where
) -> Broken:
    if column in targets:
        yield PydanticCustomError(
            "columns",
            "{value} is the target: its truth is compared by `truth` and `quality`",
            {"value": repr(column), "at": at},
        )
    elif features is not None and column not in features:
        yield PydanticCustomError(
            "columns",
            "{value} is not among the model's `features`: {known}",
            {
                "value": repr(column),
                "known": ", ".join(features),
                "at": at,
                "choices": features,
            },
        )


def _check_truth(
    truth: GroundTruth, targets: tuple[str, ...], predictions: tuple[str, ...] | None
) -> Broken:
    if not targets:
        yield PydanticCustomError(
            "truth",
            "`truth` is what turned out to be right of the `target`, and this model has none",
            {
                "advice": "add `target`, the column with the labels, or take `truth` away: drift is looked at without",
                "at": ("monitor", "truth"),
            },
        )
        return
    if predictions is None:
        yield PydanticCustomError(
            "truth",
            "`truth` is compared with predictions, and this model has none: add `predict`",
            {"at": ("monitor", "truth")},
        )
        return
    for index, key in enumerate(truth.keys):
        if key not in predictions:
            yield PydanticCustomError(
                "truth",
                "predictions have no column {value}: add it to `keep` of `predict`",
                {
                    "value": repr(key),
                    "at": ("monitor", "truth", "keys", index),
                    "choices": predictions,
                },
            )
