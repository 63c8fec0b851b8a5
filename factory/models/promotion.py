"""`promotion`: when a model may go live."""

from collections.abc import Iterator
from typing import Literal

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from factory.base.findings import Finding
from factory.base.rules import Broken, rule
from factory.base.section import ListOf, Seconds, Section, Surroundings, Text
from factory.base.texts import closest
from factory.models.costs import COSTS
from factory.models.fairness import Fairness
from factory.training.metrics import Metric, NamableMetrics

PRODUCTION = "prod"
"""The environment in which an approval must name who approves."""


class Bounds(Section):
    """What a metric on the test rows must keep to."""

    min: float | None = None
    """The lowest value that passes; no lower bound when left out."""
    max: float | None = None
    """The highest value that passes; no upper bound when left out."""

    @rule
    def _consistent(self) -> Broken:
        if self.min is None and self.max is None:
            yield PydanticCustomError(
                "bounds", "a threshold needs `min` or `max`", {"advice": "write {min: 0.9}, say"}
            )
        if self.min is not None and self.max is not None and self.min > self.max:
            yield PydanticCustomError(
                "bounds",
                "`min` {min} is above `max` {max}: no model can meet both",
                {"min": self.min, "max": self.max, "at": ("min",)},
            )

    def doubts_about(self, metric: Metric, at: tuple[str | int, ...]) -> Iterator[Finding]:
        """Whether the only bound is on the side where good values are.

        Args:
            metric: What is bounded.
            at: Where the bounds are written, below the model.
        """
        only = "min" if self.max is None else "max" if self.min is None else None
        right = "min" if metric.goal == "maximize" else "max"
        if only in (None, right):
            return
        better = "more" if right == "min" else "less"
        yield Finding(
            "bound_against_metric",
            (*at, str(only)),
            f"of `{metric.name}` {better} is better: this `{only}` refuses good models and lets bad ones pass",
            f"write `{right}: {getattr(self, str(only)):g}`",
            on_key=True,
        )


class Margin(Section):
    """By how much the champion must be beaten, in the objective's metric.

    `absolute` is a difference, `relative` a share of the champion's score: 0.02 is 2 %.
    """

    absolute: float | None = Field(default=None, gt=0)
    """The least difference of the two scores."""
    relative: float | None = Field(default=None, gt=0)
    """The least difference as a share of the champion's score: 0.02 is 2 %."""

    @rule
    def _one_kind(self) -> Broken:
        if (self.absolute is None) == (self.relative is None):
            yield PydanticCustomError(
                "margin", "a margin of one kind, {absolute: 0.01} or {relative: 0.02}"
            )


class Slices(Section):
    """Slices of the test rows, one for each value of each column, in which the champion must not be better by much."""

    columns: ListOf[Text] = Field(min_length=1, examples=[["region"]])
    """Features whose values make the slices, each column by itself."""
    max_loss: float = Field(default=0.0, ge=0)
    """By how much the objective's metric may be worse than the champion's in a slice."""
    min_rows: int = Field(default=30, ge=1)
    """Slices of fewer test rows are left out."""


class Approval(Section):
    """Somebody says yes before a model goes live, in Airflow's page or through its API."""

    required: bool = True
    """`false` switches the approval off, for a team that needs it in some environments only."""
    assignees: ListOf[Text] = ()
    """The users who may answer, by name or id, as Airflow's auth manager knows them; empty: whoever may
    edit the DAG's runs."""
    response_timeout: Seconds = 86_400
    """How long there is to answer."""
    on_timeout: Literal["reject", "approve"] = "reject"
    """What silence means: `reject` keeps the champion, `approve` lets the new version go live."""

    @field_validator("response_timeout")
    @classmethod
    def _some_time(cls, value: int) -> int:
        if value < 1:
            raise PydanticCustomError(
                "response_timeout", "nobody can answer within 0 seconds: write 24h, say"
            )
        return value

    @rule
    def _assigned_in_production(self, surroundings: Surroundings | None) -> Broken:
        environment = surroundings.environment if surroundings is not None else None
        if self.required and not self.assignees and environment == PRODUCTION:
            yield PydanticCustomError(
                "assignees",
                "an approval needs `assignees` in production: without them, anybody could give it",
                {
                    "advice": "add `assignees: [...]` with the users who may approve, or "
                    "`required: false`",
                },
            )


class Promotion(Section):
    """When a trained version goes live instead of the champion; both are scored on the same rows.

    Every threshold must be met and the champion beaten; of two equal ones the champion stays. A
    model without a champion has none to beat.
    """

    require: dict[str, Bounds] = Field(
        default_factory=dict,
        examples=[{"f1_macro": {"min": 0.9}, "log_loss": {"max": 0.3}, "model_mb": {"max": 50}}],
    )
    """Thresholds for metrics on the test rows, and for costs, by `max`: `latency_p95_ms` (of predictions of one row, in
    milliseconds), `model_mb` (of the stored model), `fit_seconds` (of the winner)."""
    beat_champion: bool | Margin = Field(
        default=True, examples=[True, {"absolute": 0.01}, {"relative": 0.02}]
    )
    """`true`: be better in the objective's metric. `{absolute: …}` or `{relative: …}`: by at least so much. `false`:
    the thresholds alone decide."""
    confidence: float | None = Field(default=None, ge=0.5, lt=1, examples=[0.95])
    """How sure it must be that the champion is beaten: the interval of the difference, by a paired bootstrap of the
    test rows, must lie above 0. Only the scores on all test rows are compared when left out."""
    slices: Slices | None = None
    """Slices of the test rows in which it must not be much worse than the champion; none when left out."""
    fairness: Fairness | None = None
    """Limits of how differently groups of test rows are treated; none when left out."""
    dry_run: bool = False
    """Decide and say so, and promote nothing."""
    approval: Approval | None = None
    """Somebody says yes before a version goes live; nobody is asked when left out."""

    @rule
    def _confident_of_something(self) -> Broken:
        if self.confidence is not None and self.beat_champion is False:
            yield PydanticCustomError(
                "together",
                "`confidence` says how sure it must be that the champion is beaten, and with "
                "`beat_champion: false` it need not be",
                {
                    "advice": "take one of them away",
                    "at": ("confidence",),
                    "on_key": True,
                },
            )

    @property
    def required_metrics(self) -> dict[str, Bounds]:
        """The thresholds for metrics; without those for costs."""
        return {name: bounds for name, bounds in self.require.items() if name not in COSTS}

    @property
    def grouped_by(self) -> dict[str, tuple[str, ...]]:
        """The columns whose values make groups of test rows, by the key that names them."""
        found = {"slices": self.slices, "fairness": self.fairness}
        return {key: rules.columns for key, rules in found.items() if rules is not None}

    @property
    def needs_approval(self) -> bool:
        """Whether somebody is asked."""
        return self.approval is not None and self.approval.required


def check_promotion(promotion: Promotion, known: NamableMetrics) -> Broken:
    """The thresholds that are on no known metric, or cannot be met.

    Args:
        promotion: The section.
        known: The metrics that the model may name.
    """
    for name, bounds in promotion.require.items():
        at = ("promotion", "require", name)
        if name in COSTS:
            yield from _check_cost(name, bounds, known, at)
            continue
        if (meant := _meant_cost(name, known)) is not None:
            yield PydanticCustomError(
                "metric",
                "{name} is neither a metric nor a cost",
                {"name": repr(name), "advice": f"did you mean `{meant}`?", "at": at},
            )
            continue
        yield from known.check(name, at)
        metric = known.find(name)
        if metric is None:
            continue
        lowest, highest = metric.bounds
        if bounds.min is not None and bounds.min > highest:
            key, limit = "min", f"at most {highest:g}"
        elif bounds.max is not None and bounds.max < lowest:
            key, limit = "max", f"at least {lowest:g}"
        else:
            continue
        bound = getattr(bounds, key)
        is_percent = highest == 1 and 1 < bound <= 100
        yield PydanticCustomError(
            "bounds",
            "`{key}` {bound} can never be met: {metric} is {limit}",
            {
                "advice": f"write {bound / 100:g} for {bound:g} %" if is_percent else None,
                "metric": name,
                "key": key,
                "bound": f"{bound:g}",
                "limit": limit,
                "at": (*at, key),
            },
        )


def _check_cost(
    name: str, bounds: Bounds, known: NamableMetrics, at: tuple[str | int, ...]
) -> Broken:
    if known.find_kind(name) is not None:
        yield PydanticCustomError(
            "name_taken",
            "`{name}` is both a cost and a metric of a plug-in",
            {"name": name, "advice": "give the plug-in's metric another name", "at": at},
        )
    if bounds.min is not None:
        yield PydanticCustomError(
            "bounds",
            "of `{name}` less is better, and `min` would refuse good models",
            {"name": name, "advice": "write `max`", "at": (*at, "min"), "on_key": True},
        )
    if bounds.max is not None and bounds.max <= 0:
        yield PydanticCustomError(
            "bounds",
            "`max` {bound} can never be met: {name} is above 0",
            {"name": name, "bound": f"{bounds.max:g}", "at": (*at, "max")},
        )


def _meant_cost(name: str, known: NamableMetrics) -> str | None:
    """The cost that was probably meant by what is no metric."""
    if name in known.defined or known.find_kind(name) is not None:
        return None
    return closest(name, COSTS, likeness=0.75)
