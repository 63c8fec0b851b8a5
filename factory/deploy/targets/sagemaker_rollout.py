"""How requests move from one version of an endpoint of Amazon SageMaker to the next."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints
from pydantic_core import PydanticCustomError

from factory.base.rules import Broken, rule
from factory.base.section import ListOf, Seconds, Section

AlarmName = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=255)]


class EndpointRollout(Section):
    """How requests move from the earlier version to the new one: both run until it has proved itself.

    SageMaker goes back by itself when new instances do not become healthy, or when one of `alarms`
    goes off before `wait` is over.
    """

    strategy: Literal["all_at_once", "canary", "linear"] = "all_at_once"
    """`all_at_once` moves all requests together, `canary` a first part and then the rest, `linear` one part after the
    other."""
    percent: int | None = Field(default=None, ge=1, le=50)
    """The percentage of the capacity that is the first part of a canary, or each step of a linear one."""
    wait: Seconds = 0
    """How long to wait after each step, and after the last one before the earlier version's instances go."""
    alarms: ListOf[AlarmName] = Field(default=(), max_length=10)
    """CloudWatch alarms, by name."""

    @rule
    def _consistent(self) -> Broken:
        if (self.percent is None) != (self.strategy == "all_at_once"):
            yield PydanticCustomError(
                "rollout",
                "`strategy: {strategy}` needs `percent`, such as 10"
                if self.percent is None
                else "`percent` belongs to `strategy: canary` or `strategy: linear`",
                {"strategy": self.strategy, "at": ("percent",)},
            )
        if self.strategy == "linear" and (self.percent or 0) < 10:
            yield PydanticCustomError(
                "rollout",
                "SageMaker's linear steps are 10 to 50 percent: `percent` cannot be {value}",
                {"value": self.percent, "at": ("percent",)},
            )
        if self.wait > 3600:
            yield PydanticCustomError(
                "rollout",
                "SageMaker waits at most an hour between steps: write `wait: 60m` or less",
                {"at": ("wait",)},
            )
