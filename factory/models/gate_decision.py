"""What the gate decided, what people answered to it, and what came of it."""

import json
import math
from typing import Literal

from pydantic import Field

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

    @property
    def is_met(self) -> bool:
        """Whether the value is known and within the bounds, which are included."""
        low = -math.inf if self.min is None else self.min
        high = math.inf if self.max is None else self.max
        return self.value is not None and low <= self.value <= high

    def __str__(self) -> str:
        why = f" ({self.why})" if self.why else ""
        found = f"could not be computed{why}" if self.value is None else f"is {self.value:.6g}"
        return f"{self.title} {found}, `promotion.require` wants {self.wanted}"

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

    def table(self) -> str:
        """Champion, challenger and baseline side by side, below them thresholds and findings, in Markdown."""
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
        parts = (lines, self._required(), findings)
        return "\n\n".join("\n".join(part) for part in parts if part)

    def _required(self) -> list[str]:
        if not self.thresholds:
            return []
        lines = [
            f"* {'met' if one.is_met else '**missed**'}: {one.title} {_number(one.value)}, {one.wanted}"
            for one in self.thresholds
        ]
        return ["What `promotion.require` wants:", "", *lines]

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
