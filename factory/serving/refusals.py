"""What a caller is told when something is wrong: enough to mend it, and nothing about this machine."""

import math
from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from factory.base.errors import TerminalError
from factory.models.registry import UnknownModelError
from factory.models.tracking import TrackingError

MOST_FINDINGS = 50
_LONGEST_INPUT = 100


class UnfitVersionError(TerminalError):
    """A version that will not be served; its text is shown to callers, so it holds no detail."""


def findings(error: ValidationError, places: Sequence[int] | None = None) -> list[dict[str, Any]]:
    """What is wrong with a body, in the form of FastAPI's own 422.

    At most 50 findings: a thousand rows can be wrong in ten thousand places. What was found is
    repeated only if it is short and can be written as JSON, which NaN cannot.

    Args:
        error: What is wrong.
        places: Which of a request's rows the rows are that are meant; all in their order, if left out.
    """
    found = error.errors(include_url=False, include_context=False)
    shown = [_finding(dict(each), places) for each in found[:MOST_FINDINGS]]
    if len(found) > MOST_FINDINGS:
        more = f"{len(found) - MOST_FINDINGS} more findings are not shown"
        shown.append({"type": "too_many_findings", "loc": ["body"], "msg": more})
    return shown


def finding(kind: str, loc: Sequence[str | int], message: str) -> dict[str, Any]:
    """What is wrong at one place of a body."""
    return {"type": kind, "loc": ["body", *loc], "msg": message}


def _finding(error: dict[str, Any], places: Sequence[int] | None) -> dict[str, Any]:
    value, loc = error["input"], list(error["loc"])
    if places is not None and len(loc) > 1 and isinstance(loc[1], int):
        loc[1] = places[loc[1]]
    shown = finding(error["type"], loc, error["msg"])
    return {**shown, "input": value} if _is_short(value) else shown


def _is_short(value: object) -> bool:
    if isinstance(value, str):
        return len(value) <= _LONGEST_INPUT
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, bool | int)


def public_reason(error: BaseException) -> str:
    """Why a version is not loaded, as callers may be told; the log has the rest."""
    if isinstance(error, UnfitVersionError):
        return str(error)
    if isinstance(error, TrackingError | UnknownModelError):
        return "it could not be read from the registry"
    return "it does not load"


def cannot_predict(rows: Sequence[object]) -> list[dict[str, Any]]:
    """The finding for rows that are well-formed, but that the model itself refuses."""
    message = f"the model cannot predict these {len(rows)} rows"
    return [{"type": "cannot_predict", "loc": ["body", "rows"], "msg": message}]
