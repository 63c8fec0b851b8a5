"""The section of a team file that a training run went by, as its MLflow run keeps it."""

import difflib
import json
from collections.abc import Mapping
from typing import Any

import yaml

from factory.models.files import artifact
from factory.models.tracking import CONFIGURATION, Tracking


def recorded_section(run_id: str, tracking: Tracking) -> dict[str, Any] | None:
    """A training run's section as plain data; None for runs from before it was kept.

    Raises:
        TrackingError: The MLflow server does not answer.
    """
    return recorded_json(run_id, CONFIGURATION, tracking)


def recorded_json(run_id: str, at: str, tracking: Tracking) -> dict[str, Any] | None:
    """Plain data that is kept below a run; None where there is none.

    Raises:
        TrackingError: The MLflow server does not answer.
    """
    with artifact(tracking, run_id, at) as file:
        if file is None:
            return None
        found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return found


def difference(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """The lines of YAML in which two sections differ, with `-` and `+` in front and a line around."""
    old, new = (
        yaml.safe_dump(dict(section), sort_keys=True, allow_unicode=True).splitlines()
        for section in (before, now)
    )
    changed = list(difflib.unified_diff(old, new, lineterm="", n=1))[2:]
    return [line for line in changed if not line.startswith("@@")]
