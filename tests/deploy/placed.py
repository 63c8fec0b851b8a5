"""A target together with the context that it works in, as tasks use it."""

from dataclasses import dataclass
from functools import partial
from typing import Any

from pydantic import TypeAdapter

from factory.deploy.targets.target import AnyTarget, DeployContext, Target
from factory.models.tracking import Tracking

NOWHERE = Tracking("http://127.0.0.1:1")


def target_of(section: dict[str, Any]) -> Target:
    """The target of a section of a team file."""
    target: Target = TypeAdapter(AnyTarget).validate_python(section)
    return target


@dataclass(frozen=True)
class Placed:
    """A target whose methods need no context any more."""

    target: Target
    context: DeployContext

    def __getattr__(self, name: str) -> Any:
        return partial(getattr(self.target, name), self.context)


def placed(target: Target, tracking: Tracking = NOWHERE, **context: Any) -> Placed:
    """The target in a context."""
    return Placed(target, DeployContext(tracking, **context))
