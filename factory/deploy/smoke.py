"""Ask a new deployment something, and judge the answer."""

import json
import logging
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
from pydantic_core import to_json
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from factory.base.errors import TerminalError
from factory.base.values import Result
from factory.deploy.http import NoAnswerError
from factory.deploy.targets.target import (
    IMAGE_TYPES,
    DeployContext,
    Deployed,
    PredictionAnswer,
    PredictionRequest,
    SmokeTest,
    Target,
)
from factory.models.files import downloaded, read_example
from factory.models.record import ModelRecord
from factory.models.tracking import Tracking
from factory.serving.contract import example_rows
from factory.serving.images import kind_of

logger = logging.getLogger(__name__)

_TRIES = 3
_ROUNDING = 1e-3
"""Of probabilities that were counted in 32 bits."""


class SmokeTestError(TerminalError):
    """A deployment answers, and not as it should."""


@dataclass(frozen=True)
class SmokeQuestion:
    """What is asked, and in how many rows."""

    question: PredictionRequest
    rows: int
    what: str
    """In words."""


class SmokeTestPassed(Result):
    """What came of a smoke test that went well."""

    address: str
    asked: str
    values: list[Any]
    """What it answered, the first few rows."""


def smoke_test(
    target: Target, context: DeployContext, deployed: Deployed, record: ModelRecord
) -> SmokeTestPassed:
    """Ask what was deployed, as its callers do.

    Args:
        target: Where it runs; its section says what to ask, and what must be answered.
        context: Where things are: files, and the MLflow server, which has the input example.
        deployed: What is asked.
        record: What it must be.

    Raises:
        SmokeTestError: The answer is wrong.
        TerminalError: There is nothing to ask, or the question is refused.
        NoAnswerError: There is no answer.
    """
    test = target.smoke_test
    asked = _asked(test, record, context)
    patiently = Retrying(
        retry=retry_if_exception_type(NoAnswerError),
        stop=stop_after_attempt(_TRIES),
        wait=wait_exponential(),
        reraise=True,
    )
    answer = patiently(target.predict, context, deployed, asked.question)
    if wrong := _wrong(answer, test, record, asked.rows):
        raise SmokeTestError(
            f"{deployed.address} was asked about {asked.what}: {wrong}. The smoke test of "
            f"{record.model} version {record.version} has failed"
        )
    shown = list(answer.values[:5])
    logger.info("%s was asked about %s: %s", deployed.address, asked.what, shown)
    return SmokeTestPassed(address=deployed.address, asked=asked.what, values=shown)


def _asked(test: SmokeTest, record: ModelRecord, context: DeployContext) -> SmokeQuestion:
    if test.rows is not None:
        return _rows(list(test.rows), f"{len(test.rows)} rows of the team file")
    if test.file is not None:
        return _file(context.project / test.file, test.file)
    return _example(record, context.tracking)


def _file(path: Path, name: str) -> SmokeQuestion:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise TerminalError(
            f"{name}, which the smoke test asks about, cannot be read: {error.strerror}"
        ) from None
    if path.suffix.lower() in IMAGE_TYPES:
        return SmokeQuestion(PredictionRequest(content, IMAGE_TYPES[path.suffix.lower()]), 1, name)
    try:
        found = json.loads(content)
    except ValueError as error:
        raise TerminalError(
            f"{name}, which the smoke test asks about, is no JSON: {error}"
        ) from None
    rows = found.get("rows") if isinstance(found, dict) else found
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise TerminalError(f'{name} must hold rows: [{{"feature": value, …}}, …]')
    return _rows(rows, f"the {len(rows)} rows in {name}")


def _example(record: ModelRecord, tracking: Tracking) -> SmokeQuestion:
    # What fetches files knows no client, only the process's one server.
    mlflow.set_tracking_uri(tracking.uri)
    with tracking.asked(), downloaded(record.uri, record.sha256) as folder:
        example = read_example(folder)
    if example is None:
        raise TerminalError(
            f"{record.uri} has lost its input example, so there is nothing to ask: write "
            "`smoke_test: {file: …}` under `deploy`"
        )
    first = example.iloc[0, 0]
    if len(example.columns) == 1 and isinstance(first, bytes) and (kind := kind_of(first)):
        return SmokeQuestion(
            PredictionRequest(first, kind), 1, "the image that it was registered with"
        )
    return _rows(example_rows(example), f"the {len(example)} rows that it was registered with")


def _rows(rows: list[dict[str, Any]], what: str) -> SmokeQuestion:
    return SmokeQuestion(
        PredictionRequest(to_json({"rows": rows}), "application/json"), len(rows), what
    )


def _wrong(answer: PredictionAnswer, test: SmokeTest, record: ModelRecord, rows: int) -> str | None:
    """What is wrong with an answer; None if nothing is."""
    if answer.version not in (None, record.version):
        return f"version {answer.version} answered"
    if len(answer.values) != rows:
        return f"it answered about {len(answer.values)} of {rows}"
    if found := _nonsense(answer, record):
        return f"it answers with {found}"
    if test.expect is None:
        return None
    for number, value in enumerate(answer.values, 1):
        if not _as_expected(value, test):
            where = f" about row {number}" if rows > 1 else ""
            return f"it says {_said(answer, number - 1)}{where}, and {test.expect!r} is expected"
    return None


def _nonsense(answer: PredictionAnswer, record: ModelRecord) -> str | None:
    if record.targets:
        return _nonsense_of_several(answer, record)
    if not record.learning_task.has_classes:
        finite = all(isinstance(value, (int, float)) for value in answer.values)
        return None if finite else "what is no number"
    if any(value is None for value in answer.values):
        return "no class"
    for chances in answer.probabilities or ():
        values = list(chances.values())
        if not all(isinstance(value, (int, float)) for value in values):
            return "probabilities that are no numbers"
        if not math.isclose(sum(values), 1, abs_tol=_ROUNDING):
            return "probabilities that do not add up to 1"
    return None


def _nonsense_of_several(answer: PredictionAnswer, record: ModelRecord) -> str | None:
    """What is wrong with answers of several targets: numbers, or true and false, by their names."""
    kinds = (bool,) if record.learning_task.has_categories else (int, float)
    for value in answer.values:
        if not isinstance(value, dict) or tuple(value) != record.targets:
            return "other names than those of its targets"
        if not all(isinstance(one, kinds) for one in value.values()):
            what = "neither true nor false" if kinds == (bool,) else "no number"
            return f"what is {what}"
    for chances in answer.probabilities or ():
        if not all(isinstance(one, (int, float)) and 0 <= one <= 1 for one in chances.values()):
            return "probabilities outside of 0 to 1"
    return None


def _as_expected(value: Any, test: SmokeTest) -> bool:
    expected = test.expect
    if test.tolerance is not None and isinstance(expected, (int, float)):
        return isinstance(value, (int, float)) and abs(value - expected) <= test.tolerance
    if isinstance(value, bool) or isinstance(expected, bool):
        return value is expected
    return bool(value == expected)


def _said(answer: PredictionAnswer, index: int) -> str:
    value = answer.values[index]
    if answer.probabilities is None:
        return repr(value)
    chance = answer.probabilities[index].get(str(value))
    return repr(value) if chance is None else f"{value!r} ({chance:.0%})"
