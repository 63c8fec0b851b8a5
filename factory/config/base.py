"""What every section of a team file shares: strictness, names, durations."""

import re
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    StringConstraints,
)
from pydantic_core import PydanticCustomError

NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
DOTTED_PATH = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")
_DURATION = re.compile(r"(\d+)\s*(s|m|h|d|w)")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


class Section(BaseModel):
    """A mapping in a team file: unknown keys are refused, values do not change once read."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=False)


def _check_name(value: str) -> str:
    if not NAME.fullmatch(value):
        raise PydanticCustomError(
            "name",
            "{value} is not a name: use lower-case letters, digits and underscores, "
            "starting with a letter, at most 63 characters",
            {"value": repr(value), "suggestion": _as_name(value)},
        )
    return value


def _as_name(value: str) -> str:
    name = re.sub(r"[^a-z0-9_]+", "_", value.lower()).strip("_")[:63]
    return name if NAME.fullmatch(name) else ""


def _check_reference(value: str) -> str:
    parts = value.split(".")
    if len(parts) > 2 or not all(NAME.fullmatch(part) for part in parts):
        raise PydanticCustomError(
            "reference",
            "{value} does not name a dataset: write `dataset` for one of this team's, "
            "`team.dataset` for another's",
            {"value": repr(value)},
        )
    return value


def _check_dotted_path(value: str) -> str:
    if not DOTTED_PATH.fullmatch(value):
        raise PydanticCustomError(
            "dotted_path",
            "{value} is not a dotted path: write `package.module.name`",
            {"value": repr(value)},
        )
    return value


def _read_duration(value: Any) -> Any:
    if isinstance(value, str) and (match := _DURATION.fullmatch(value.strip())):
        return int(match[1]) * _SECONDS[match[2]]
    raise PydanticCustomError(
        "duration",
        "{value} is not a duration: write a number and a unit, such as 30s, 15m, 12h, 7d or 2w",
        {"value": repr(value)},
    )


Name = Annotated[str, AfterValidator(_check_name)]
"""The name of a team, dataset or model."""

Reference = Annotated[str, AfterValidator(_check_reference)]
"""A dataset by name: `dataset` within the team, `team.dataset` across teams."""

DottedPath = Annotated[str, AfterValidator(_check_dotted_path)]
"""A Python object by `package.module.name`; its package must be allowed in `_defaults.yaml`."""

Seconds = Annotated[
    int, BeforeValidator(_read_duration), PlainSerializer(lambda seconds: f"{seconds}s")
]
"""A duration, written `30s`, `15m`, `12h`, `7d` or `2w`; whole seconds once read."""

Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
"""A string that says something."""


def qualify(reference: str, team: str) -> str:
    """The full name `team.dataset` of a dataset that `team` refers to."""
    return reference if "." in reference else f"{team}.{reference}"
