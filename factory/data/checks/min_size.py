"""`check: min_size`."""

from typing import Literal

from pydantic import Field
from pydantic_core import PydanticCustomError

from factory.base.rules import Broken, rule
from factory.data.checks.check import Check


class MinSize(Check):
    """No image is narrower or lower, in pixels; those that cannot be read pass."""

    check: Literal["min_size"]
    width: int | None = Field(default=None, ge=1)
    """The least width in pixels; any width passes when left out."""
    height: int | None = Field(default=None, ge=1)
    """The least height in pixels; any height passes when left out."""

    @rule
    def _some_size(self) -> Broken:
        if self.width is None and self.height is None:
            yield PydanticCustomError("min_size", "write `width`, `height` or both, in pixels")

    def failing(self) -> str:
        """Rows whose image is smaller on one side."""
        sides = " or ".join(f"{side} < {least}" for side, least in self._sides().items())
        return f"coalesce({sides}, false)"

    def describe(self) -> str:
        """The sides and their least lengths."""
        sides = ", ".join(f"{side} {least}" for side, least in self._sides().items())
        return f"min_size({sides})"

    def needed_columns(self) -> tuple[str, ...]:
        """The sides that are measured."""
        return tuple(self._sides())

    def shown_first(self) -> tuple[str, ...]:
        """The file, too."""
        return ("path", *self.needed_columns())

    def _sides(self) -> dict[str, int]:
        sides = {"width": self.width, "height": self.height}
        return {side: least for side, least in sides.items() if least is not None}
