"""From the bodies of requests to the bodies of answers; runs in a thread."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import HTTPException
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from factory.errors import TerminalError
from factory.serving.answers import answer
from factory.serving.contract import Row
from factory.serving.failures import cannot_predict, findings
from factory.serving.loading import Served
from factory.trainers import Predictions

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Answered:
    """The answer to one request."""

    body: bytes
    rows: int


def answer_together(served: Served, bodies: Sequence[bytes]) -> list[Answered | Exception]:
    """An answer, or what the caller is told instead, for each body; one prediction for all."""
    read = [_read(served, body) for body in bodies]
    good = [each for each in read if not isinstance(each, Exception)]
    answers = iter(_predict_together(served, good) if good else ())
    return [each if isinstance(each, Exception) else next(answers) for each in read]


def _read(served: Served, body: bytes) -> list[Row] | Exception:
    try:
        return served.contract.parse(body)
    except ValidationError as error:
        return RequestValidationError(findings(error))


def _predict_together(served: Served, requests: Sequence[list[Row]]) -> list[Answered | Exception]:
    if len(requests) == 1:
        return [_predict(served, requests[0])]
    try:
        predictions = served.predict([row for rows in requests for row in rows])
    except Exception:
        logger.exception("%s fails for requests together: one after the other", served.version.uri)
        return [_predict(served, rows) for rows in requests]
    answers: list[Answered | Exception] = []
    start = 0
    for rows in requests:
        answers.append(_answered(served, _part(predictions, start, start + len(rows)), rows))
        start += len(rows)
    return answers


def _predict(served: Served, rows: Sequence[Row]) -> Answered | Exception:
    try:
        return _answered(served, served.predict(rows), rows)
    except TerminalError as error:
        logger.warning("%s refuses rows: %s", served.version.uri, error)
        return RequestValidationError(cannot_predict(rows))
    except Exception:
        logger.exception("%s fails", served.version.uri)
        return HTTPException(500, "the model failed: the service's log says why")


def _answered(served: Served, predictions: Predictions, rows: Sequence[Row]) -> Answered:
    version = served.version
    return Answered(answer(version.model, version.number, predictions), len(rows))


def _part(predictions: Predictions, start: int, end: int) -> Predictions:
    probabilities = predictions.probabilities
    return Predictions(
        predictions.values[start:end],
        None if probabilities is None else probabilities[start:end],
        predictions.classes,
    )
