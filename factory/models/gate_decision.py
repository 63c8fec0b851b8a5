"""What the gate decided, what people answered to it, and what came of it."""

import json
import math
from typing import Literal

from pydantic import Field

from factory.base.texts import table_cell
from factory.base.values import Result
from factory.models.costs import COSTS
from factory.training.guard.finding import GuardFinding

GateVerdict = Literal["promote", "approve", "keep"]


class Threshold(Result):
    """A metric or a cost of the challenger, and what it has to keep to."""

    metric: str
    """Or one of `COSTS`."""
    min: float | None
    max: float | None
    value: float | None
    """None where the metric could not be computed for the test rows, or the cost is not known."""
    why: str | None = None
    """Why it could not."""
    rule: Literal["require", "fairness"] = "require"
    """Where in `promotion` it is written."""

    @property
    def is_met(self) -> bool:
        """Whether the value is known and within the bounds, which are included."""
        low = -math.inf if self.min is None else self.min
        high = math.inf if self.max is None else self.max
        return self.value is not None and low <= self.value <= high

    def __str__(self) -> str:
        why = f" ({self.why})" if self.why else ""
        found = f"could not be computed{why}" if self.value is None else f"is {self.value:.6g}"
        return f"{self.title} {found}, `promotion.{self.rule}` wants {self.wanted}"

    @property
    def title(self) -> str:
        """The metric, which is that of the test rows, or the cost."""
        return self.metric if self.metric in COSTS else f"test {self.metric}"

    @property
    def wanted(self) -> str:
        """The bounds in words."""
        wanted = [f"at least {self.min:g}"] if self.min is not None else []
        wanted += [f"at most {self.max:g}"] if self.max is not None else []
        return " and ".join(wanted)


class GainInterval(Result):
    """Between which values the challenger's gain lies, by a paired bootstrap of the test rows."""

    confidence: float
    low: float | None
    """None where the metric could be computed for too few resamples."""
    high: float | None
    resamples: int
    """For how many the metric could be computed."""
    rows: int
    """How many test rows they were drawn from."""

    @property
    def is_above_zero(self) -> bool:
        """Whether the challenger is better with this confidence."""
        return self.low is not None and self.low > 0

    def __str__(self) -> str:
        drawn = f"{self.resamples:,} resamples of {self.rows:,} test rows"
        if self.low is None or self.high is None:
            return f"there is no interval of the difference: the metric could be computed for {drawn} only"
        return (
            f"with a confidence of {self.confidence:.4g} the difference lies between {self.low:.4g} and "
            f"{self.high:.4g} ({drawn})"
        )


class SliceScore(Result):
    """The test rows that have one value in a column, and how both versions do on them."""

    column: str
    value: str
    rows: int
    champion: float
    """The champion's score in the objective's metric."""
    challenger: float
    loss: float
    """By how much the challenger is worse; negative where it is better."""

    def __str__(self) -> str:
        return f"{self.column} = {self.value}"


class SliceScores(Result):
    """Challenger and champion on slices of the test rows."""

    max_loss: float
    min_rows: int
    compared: int
    """How many slices both were scored on."""
    worst: tuple[SliceScore, ...]
    """Those with the greatest loss, the worst one first."""
    too_bad: int
    """In how many the loss is more than `max_loss`."""
    too_small: int
    """How many have fewer than `min_rows` rows."""
    undefined: int
    """In how many the metric could not be computed for both."""

    @property
    def left_out(self) -> str:
        """What was not compared, in words; empty if all was."""
        small = f"{self.too_small} of fewer than {self.min_rows} rows" if self.too_small else ""
        unknown = (
            f"{self.undefined} in which the metric cannot be computed" if self.undefined else ""
        )
        return " and ".join(filter(None, (small, unknown)))


class GateDecision(Result):
    """What becomes of a challenger, and all that this was decided on."""

    model: str
    version: int
    """The challenger."""
    champion: int | None
    verdict: GateVerdict
    reason: str
    """One sentence."""
    metric: str
    """The objective's."""
    goal: Literal["maximize", "minimize"]
    metrics: dict[str, float]
    """The challenger's, on the test rows."""
    champion_metrics: dict[str, float]
    """The champion's on the same rows; empty where it was not scored."""
    thresholds: tuple[Threshold, ...]
    margin: float | None
    """By how much the champion has to be beaten, in the objective's metric; None where it has not."""
    gain: float | None
    """By how much it is beaten; negative where it is not."""
    rows: int
    """How many test rows there are."""
    mlflow_run_id: str
    baseline: dict[str, float] = Field(default_factory=dict)
    """The metrics of a model that looks at no feature, on the same rows."""
    findings: tuple[GuardFinding, ...] = ()
    """What makes the scores unbelievable."""
    says_the_same: bool = False
    """Whether the challenger says of each test row what the champion says."""
    interval: GainInterval | None = None
    """Of the gain; None where no confidence is asked for, or there is nothing to compare."""
    slices: SliceScores | None = None
    """None where no slices are asked for, or there is nothing to compare."""

    def table(self) -> str:
        """Champion, challenger and baseline side by side, below them what else counted, in Markdown."""
        champion = "none" if self.champion is None else f"version {self.champion}"
        lines = [
            f"| test metric | champion ({champion}) | challenger (version {self.version}) | no features |",
            "|---|---|---|---|",
        ]
        lines += [
            f"| {f'**{name}**' if name == self.metric else name} "
            f"| {_number(self.champion_metrics.get(name))} | {_number(self.metrics.get(name))} "
            f"| {_number(self.baseline.get(name))} |"
            for name in (self.metric, *sorted(set(self.metrics) - {self.metric}))
        ]
        findings = [f"* **{finding.action}** {finding}" for finding in self.findings]
        gain = [] if self.interval is None else [self._gain_in_words(self.interval)]
        parts = (lines, gain, self._required(), self._sliced(), findings)
        return "\n\n".join("\n".join(part) for part in parts if part)

    def _required(self) -> list[str]:
        if not self.thresholds:
            return []
        lines = [
            f"* {'met' if one.is_met else '**missed**'}: {one.title} {_number(one.value)}, {one.wanted}"
            for one in self.thresholds
        ]
        return ["Thresholds:", "", *lines]

    def _gain_in_words(self, interval: GainInterval) -> str:
        return f"Difference in {self.metric}, above 0 where the challenger is better: {_number(self.gain)}; {interval}."

    def _sliced(self) -> list[str]:
        if self.slices is None:
            return []
        found = self.slices
        left_out = f"; left out: {found.left_out}" if found.left_out else ""
        told = f"{found.too_bad} of {found.compared} slices are worse by more than {found.max_loss:g}{left_out}."
        if not found.worst:
            return [told]
        rows = [
            f"| {table_cell(str(one))} | {one.rows} | {_number(one.champion)} | {_number(one.challenger)} "
            f"| {_number(one.loss)} |"
            for one in found.worst
        ]
        head = f"| worst slices by {self.metric} | rows | champion | challenger | worse by |"
        return [told, "", head, "|---|---|---|---|---|", *rows]

    def tags(self) -> dict[str, str]:
        """The decision as tags of the version and of the training run."""
        thresholds = {one.metric: [one.min, one.max, one.value] for one in self.thresholds}
        tags = {
            "gate": self.verdict,
            "gate_why": self.reason,
            "gate_champion": "" if self.champion is None else str(self.champion),
            "gate_metric": f"{self.goal} test_{self.metric}",
            "gate_score": _text(self.metrics.get(self.metric)),
            "gate_champion_score": _text(self.champion_metrics.get(self.metric)),
            "gate_margin": _text(self.margin),
            "gate_interval": "" if self.interval is None else str(self.interval),
            "gate_slices_too_bad": "" if self.slices is None else str(self.slices.too_bad),
            "gate_thresholds": json.dumps(thresholds) if thresholds else "",
            "gate_findings": "\n".join(map(str, self.findings)),
        }
        return {name: text for name, text in tags.items() if text}


class ApprovalAnswer(Result):
    """What came of asking for approval."""

    approved: bool
    by: str | None
    """The user who answered; None when nobody did and time ran out."""
    within: int
    """How long there was to answer, in seconds."""

    def __str__(self) -> str:
        if self.by is not None:
            return f"{'approved' if self.approved else 'rejected'} by {self.by}"
        then = "so it is approved" if self.approved else "so it is rejected"
        return f"no answer within {_duration(self.within)}, {then}"


class PromotionOutcome(Result):
    """How a training run ended for its model."""

    model: str
    version: int
    """The challenger."""
    champion: int | None
    """The version that is in production now."""
    previous: int | None
    """The version that was."""
    promoted: bool
    reason: str
    metrics: dict[str, float]
    """The challenger's, on the test rows."""
    champion_metrics: dict[str, float]
    """Those of the version that was in production, on the same rows."""
    findings: tuple[str, ...] = ()
    """What makes the scores unbelievable."""


def _duration(seconds: int) -> str:
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds % length == 0:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.6g}"


def _text(value: float | None) -> str:
    return "" if value is None else repr(value)
