"""Ask a `factory serve`, wherever it runs."""

import json
from collections.abc import Mapping
from typing import Any

import httpx

from factory.base.errors import FactoryError, TerminalError
from factory.deploy.protocol import Answer, Question

FIELD = "image"
"""The part of a multipart request that holds the picture."""

SECONDS = 60.0
"""For one answer; a model of pictures that is asked for the first time needs some."""


class NoAnswerError(FactoryError):
    """A deployment does not answer, or with an error that may pass."""


def ask(url: str, question: Question, *, headers: Mapping[str, str] | None = None) -> Answer:
    """The answer of `POST <url>` to one question: a picture as a form, rows as JSON.

    Raises:
        NoAnswerError: Nobody answers, or the server itself is in trouble.
        TerminalError: It refuses the question, or its answer is none of ours.
    """
    try:
        if question.content_type == "application/json":
            answer = httpx.post(
                url,
                content=question.body,
                headers={**(headers or {}), "Content-Type": question.content_type},
                timeout=SECONDS,
            )
        else:
            part = ("picture", question.body, question.content_type)
            answer = httpx.post(url, files={FIELD: part}, headers=headers, timeout=SECONDS)
    except httpx.TransportError as error:
        raise NoAnswerError(f"{url} does not answer: {error or type(error).__name__}") from None
    if answer.status_code >= 500 or answer.status_code == 408:
        raise NoAnswerError(f"{url} answers with {answer.status_code}: {_shown(answer.text)}")
    if not answer.is_success:
        raise TerminalError(
            f"{url} refuses what it was asked, with {answer.status_code}: {_shown(answer.text)}"
        )
    return read_answer(answer.content, url)


def read_answer(content: bytes, source: str) -> Answer:
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
        return Answer(
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
