"""Ask a model that is served from a folder, as SageMaker's endpoints are asked: `POST /invocations`."""

import httpx

from factory.base.errors import TerminalError
from factory.deploy.http import SECONDS, NoAnswerError, read_answer
from factory.deploy.protocol import Answer, Question

PATH = "/invocations"


def invoke(address: str, question: Question) -> Answer:
    """The answer of `POST <address>/invocations`, whose body is the picture or the rows.

    Raises:
        NoAnswerError: Nobody answers, or the server itself is in trouble.
        TerminalError: It refuses the question, or its answer is none of ours.
    """
    url = f"{address}{PATH}"
    try:
        answer = httpx.post(
            url,
            content=question.body,
            headers={"Content-Type": question.content_type},
            timeout=SECONDS,
        )
    except httpx.TransportError as error:
        raise NoAnswerError(f"{url} does not answer: {error or type(error).__name__}") from None
    return answer_of(answer.status_code, answer.content, url)


def answer_of(status: int, content: bytes, source: str) -> Answer:
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
    said = content[:300].decode(errors="replace")
    if status >= 500 or status in (408, 429):
        raise NoAnswerError(f"{source} answers with {status}: {said}")
    raise TerminalError(f"{source} refuses what it was asked, with {status}: {said}")
