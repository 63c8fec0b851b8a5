"""Ask a model that is served over HTTP, and read what it says."""

import json
from typing import Any

import httpx

from factory.base.errors import FactoryError, TerminalError
from factory.deploy.targets.target import PredictionAnswer, PredictionRequest

IMAGE_FIELD = "image"
"""The part of a multipart request that holds the image."""
INVOCATIONS = "/invocations"
"""Where a model that is served from a folder is asked, as SageMaker's endpoints are."""

_SECONDS = 60.0
"""For one answer; a model of images that is asked for the first time needs some."""


class NoAnswerError(FactoryError):
    """A deployment does not answer, or with an error that may pass."""


def ask(url: str, question: PredictionRequest) -> PredictionAnswer:
    """The answer of `POST <url>` of a `factory serve`: an image goes as a form, rows as JSON.

    Raises:
        NoAnswerError: Nobody answers, or the server itself is in trouble.
        TerminalError: It refuses the question, or its answer is none of ours.
    """
    if question.content_type == "application/json":
        return _post(url, content=question.body, headers={"Content-Type": question.content_type})
    return _post(url, files={IMAGE_FIELD: ("image", question.body, question.content_type)})


def invoke(address: str, question: PredictionRequest) -> PredictionAnswer:
    """The answer of `POST <address>/invocations`, whose body is the image or the rows.

    Raises:
        NoAnswerError: Nobody answers, or the server itself is in trouble.
        TerminalError: It refuses the question, or its answer is none of ours.
    """
    headers = {"Content-Type": question.content_type}
    return _post(f"{address}{INVOCATIONS}", content=question.body, headers=headers)


def _post(url: str, **request: Any) -> PredictionAnswer:
    try:
        response = httpx.post(url, timeout=_SECONDS, **request)
    except httpx.TransportError as error:
        raise NoAnswerError(f"{url} does not answer: {error or type(error).__name__}") from None
    return answer_of(response.status_code, response.content, url)


def answer_of(status: int, content: bytes, source: str) -> PredictionAnswer:
    """What a response means, whichever way it came.

    Args:
        status: HTTP's.
        content: The body.
        source: Who answered, for messages.

    Raises:
        NoAnswerError: The server itself is in trouble.
        TerminalError: It refused the question, or its answer is none of ours.
    """
    if 200 <= status < 300:
        return read_answer(content, source)
    said = _shown(content.decode(errors="replace"))
    if status >= 500 or status in (408, 429):
        raise NoAnswerError(f"{source} answers with {status}: {said}")
    raise TerminalError(f"{source} refuses what it was asked, with {status}: {said}")


def read_answer(content: bytes, source: str) -> PredictionAnswer:
    """The body of an answer of `factory serve`, also one that came some other way.

    Raises:
        TerminalError: It is none.
    """
    try:
        found: Any = json.loads(content)
        if "predictions" in found:
            values, probabilities = found["predictions"], found.get("probabilities")
        else:
            values = [found["label"] if "label" in found else found["value"]]
            chances = found.get("probabilities")
            probabilities = None if chances is None else [chances]
        return PredictionAnswer(
            values=tuple(values),
            probabilities=None if probabilities is None else tuple(probabilities),
            version=found.get("version"),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        raise TerminalError(
            f"{source} answers with what is no prediction: {_shown(repr(content[:300]))}"
        ) from None


def _shown(text: str) -> str:
    return text if len(text) <= 300 else f"{text[:300]} …"
