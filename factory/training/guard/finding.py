"""A finding of a guard, and what every guard has in common."""

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal, Self, TypeVar

from pydantic import BeforeValidator

from factory.base.section import NotTrained, Section, also_written
from factory.base.values import Result

Action = Literal["halt", "warn", "off"]
"""What a finding does: keep the version out of production, or be told with it; `off`: nobody looks."""


class GuardFinding(Result):
    """Something that makes a score unbelievable."""

    guard: str
    action: Literal["halt", "warn"]
    text: str
    """One sentence without a full stop: what was found, and what to do."""

    def __str__(self) -> str:
        return f"`guard.{self.guard}`: {self.text}"


class Guard(Section):
    """One guard. In a team file its action alone will do: `leakage: warn`.

    It is a subclass of the class for what it looks at: `RowsGuard`, `FeatureGuard` or `ScoreGuard`.
    """

    NAME: ClassVar[str]
    """Its key in `guard`."""

    action: Action = "warn"
    """`halt` keeps the version out of production, `warn` only tells of it, `off` does not look."""

    @classmethod
    def all_in(cls, guards: Section) -> Iterator[Self]:
        """The guards of a section that are of this class and on, in their order."""
        for name in type(guards).model_fields:
            guard = getattr(guards, name)
            if isinstance(guard, cls) and guard.action != "off":
                yield guard

    def found(self, text: str) -> GuardFinding:
        """The finding.

        Raises:
            ValueError: The guard is off, so that nobody should have asked it; see `all_in`.
        """
        if self.action == "off":
            raise ValueError(f"guard.{self.NAME} is off")
        return GuardFinding(guard=self.NAME, action=self.action, text=text)


def read_short(value: object) -> object:
    """A section that may be written as its action alone."""
    # YAML 1.1 reads `off` as a boolean.
    if value is False:
        return {"action": "off"}
    return {"action": value} if isinstance(value, str) else value


GuardT = TypeVar("GuardT", bound=Section)
Short = Annotated[
    GuardT,
    BeforeValidator(read_short),
    also_written({"enum": ["halt", "warn", "off", False]}),
    NotTrained(is_read=True),
]
"""A guard as a field of `Guards`: it may be written as its action alone, and does not change what is trained."""
