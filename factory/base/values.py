"""What steps hand to each other: small frozen values that travel between processes as JSON."""

from typing import Any, Self

from pydantic import BaseModel, ConfigDict


class Result(BaseModel):
    """A step's result: immutable, and the same after a trip through JSON."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    def as_json(self) -> dict[str, Any]:
        """The result as plain JSON values."""
        return self.model_dump(mode="json")

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """The result that `as_json` wrote.

        Raises:
            pydantic.ValidationError: `value` was not written by this class.
        """
        return cls.model_validate(value)
