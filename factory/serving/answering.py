"""From the bodies of requests to the bodies of answers; runs in a thread."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import HTTPException
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from factory.base.errors import TerminalError
from factory.serving.answers import answer, answer_to_one
from factory.serving.contract import Row
from factory.serving.loading import Served
from factory.serving.refusals import cannot_predict, findings
from factory.trainers.trainer import Predictions

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Asked:
    """A request that has been understood."""

    rows: list[Row]
    is_one: bool
    """Whether it is about one thing alone, and the answer too."""


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


def _read(served: Served, body: bytes) -> _Asked | Exception:
    contract = served.contract
    try:
        return _Asked(contract.parse(body), contract.is_one(body))
    except ValidationError as error:
        return RequestValidationError(findings(error))
    except RequestValidationError as error:
        return error


def _predict_together(served: Served, requests: Sequence[_Asked]) -> list[Answered | Exception]:
    if len(requests) == 1:
        return [_predict(served, requests[0])]
    try:
        predictions = served.predict([row for asked in requests for row in asked.rows])
    except Exception:
        logger.exception("%s fails for requests together: one after the other", served.version.uri)
        return [_predict(served, asked) for asked in requests]
    answers: list[Answered | Exception] = []
    start = 0
    for asked in requests:
        end = start + len(asked.rows)
        answers.append(_answered(served, _part(predictions, start, end), asked))
        start = end
    return answers


def _predict(served: Served, asked: _Asked) -> Answered | Exception:
    try:
        return _answered(served, served.predict(asked.rows), asked)
    except TerminalError as error:
        logger.warning("%s refuses rows: %s", served.version.uri, error)
        return RequestValidationError(cannot_predict(asked.rows))
    except Exception:
        logger.exception("%s fails", served.version.uri)
        return HTTPException(500, "the model failed: the service's log says why")


def _answered(served: Served, predictions: Predictions, asked: _Asked) -> Answered:
    version = served.version
    form = answer_to_one if asked.is_one else answer
    return Answered(form(version.model, version.number, predictions), len(asked.rows))


def _part(predictions: Predictions, start: int, end: int) -> Predictions:
    probabilities = predictions.probabilities
    return Predictions(
        predictions.values[start:end],
        None if probabilities is None else probabilities[start:end],
        predictions.classes,
    )
