"""`check: readable`."""

from typing import Literal

from factory.data.checks.check import Check


class Readable(Check):
    """Every image can be decoded."""

    check: Literal["readable"]

    def failing(self) -> str:
        """Rows whose image could not be decoded when it was read."""
        return "format is null or width is null or height is null"

    def needed_columns(self) -> tuple[str, ...]:
        """What is known of an image that can be decoded."""
        return ("format", "width", "height")

    def shown_first(self) -> tuple[str, ...]:
        """The file, too."""
        return ("path", *self.needed_columns())
