"""What steps hand to each other: small frozen values that travel between processes as JSON."""

import hashlib
from typing import Any, Self

from pydantic import BaseModel, ConfigDict

from factory.training.model import AROUND, Model


class Result(BaseModel):
    """A step's result: immutable, and the same after a trip through JSON."""

    model_config = ConfigDict(extra="forbid", frozen=True)

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


def config_hash(model: Model) -> str:
    """Twelve hexadecimal digits that change when the trained model could change.

    What only describes a model, says when and how many at once, or what becomes of it, is left out.
    """
    text = model.model_dump_json(
        exclude={**dict.fromkeys(AROUND, True), "search": {"parallel_trials"}}
    )
    return hashlib.sha256(text.encode()).hexdigest()[:12]
