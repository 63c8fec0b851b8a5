"""`embedder: {type: openai}`: any server that speaks OpenAI's `/embeddings`."""

import json
import logging
import time
from collections.abc import Iterable, Sequence
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from factory.base.errors import FactoryError
from factory.base.hosts import PublicUrl
from factory.base.section import Text
from factory.data.embedders.embedder import EmbedContext, Embedder, Embedding, EmbedError

if TYPE_CHECKING:
    import httpx
    from tenacity import RetryCallState

    from factory.data.download import Login
    from factory.data.embedders.embedder import Vectors

log = logging.getLogger(__name__)

_PASSING = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
_LONGEST_WAIT = 300.0
"""Seconds that a server may have a task wait; for longer ones a later run is better."""
_CHARACTERS_A_TOKEN = 4
_ANSWER_BYTES = 500_000_000
_SHOWN = 300


class BusyServerError(FactoryError):
    """A server that takes no more texts now, or does not answer."""

    def __init__(self, message: str, wait: float | None = None) -> None:
        super().__init__(message)
        self.wait = wait
        """How many seconds it asks to wait; None where it does not say."""


class OpenAiEmbedder(Embedder):
    """Vectors of any server that has OpenAI's interface (`POST …/embeddings`): OpenAI, vLLM, Ollama, LiteLLM and others.

    What was embedded once is kept and costs nothing again, even where a run fails midway.
    """

    patience: ClassVar[float] = 1.0
    """Seconds before the second try; later ones wait twice as long each, and as long as the server asks for."""

    type: Literal["openai"]
    url: PublicUrl = Field(examples=["https://api.openai.com/v1"])
    """The address before `/embeddings`. A server of the workers' own network must be among the platform's
    `internal_hosts`."""
    model: Text = Field(examples=["text-embedding-3-small"])
    """The model, as the server calls it."""
    connection: Text | None = None
    """An Airflow HTTP connection whose password is sent as the key (`Authorization: Bearer …`), with its headers; where it has
    a login too, both are sent as a login. Nothing is sent when left out."""
    dimensions: int | None = Field(default=None, ge=1, le=100_000)
    """How many numbers the vectors are to have; the server is asked for so many. As the model has it when left out."""
    batch: int = Field(default=100, ge=1, le=10_000)
    """How many texts are sent together."""
    max_tokens: int = Field(default=10_000_000, ge=1)
    """The most tokens that one run may pay for. A run that would need more, by four characters a token, sends nothing."""
    timeout: int = Field(default=60, ge=1, le=3600)
    """How many seconds an answer may take."""
    tries: int = Field(default=6, ge=1, le=100)
    """How often the same texts are sent, where the server is busy (429) or does not answer."""

    def start(self, texts: Iterable[str], context: EmbedContext) -> Embedding:
        """Look at what it will cost; nothing is sent yet."""
        expected = sum(1 + len(text) // _CHARACTERS_A_TOKEN for text in texts)
        if expected > self.max_tokens:
            raise EmbedError(
                f"{context.what}: the new texts have about {expected:,} tokens, and a run may pay for "
                f"{self.max_tokens:,}: raise `max_tokens` if that is right. Nothing was sent"
            )
        return _OpenAiEmbedding(self, context)

    def kept_as(self, context: EmbedContext) -> dict[str, Any]:
        """See `Embedder.kept_as`."""
        del context
        return self.model_dump(mode="json", include={"type", "url", "model", "dimensions"})


class _OpenAiEmbedding(Embedding):
    def __init__(self, section: OpenAiEmbedder, context: EmbedContext) -> None:
        import httpx

        from factory.data import download  # which keeps httpx from logging addresses and headers

        self.section = section
        self.model = section.model
        self.size = section.dimensions
        self.at_once = section.batch
        self.hosts = context.reach.internal_hosts
        connection = section.connection
        self.login: Login = (
            context.reach.connections.http_login(connection) if connection else download.Login()
        )
        self.url = httpx.URL(f"{str(section.url).rstrip('/')}/embeddings")
        if connection:
            self.login.check_host(self.url, connection)
        self.shown = str(self.url.copy_with(username=None, password=None, query=None))
        self.client = httpx.Client(timeout=section.timeout, follow_redirects=False)
        self.tokens = 0
        self.sent = 0

    def close(self) -> None:
        self.client.close()
        log.info("%s: %s texts sent, %s tokens", self.shown, f"{self.sent:,}", f"{self.tokens:,}")

    def embed(self, texts: Sequence[str]) -> "Vectors":
        """See `Embedding.embed`."""
        from tenacity import Retrying, retry_if_exception_type, stop_after_attempt

        if self.tokens >= self.section.max_tokens:
            raise EmbedError(
                f"{self.shown} has counted {self.tokens:,} tokens in this run, which may pay for "
                f"{self.section.max_tokens:,}: raise `max_tokens` if that is right. What is embedded is kept"
            )
        for attempt in Retrying(
            retry=retry_if_exception_type(BusyServerError),
            stop=stop_after_attempt(self.section.tries),
            wait=self._wait,
            before_sleep=_log_retry,
            retry_error_callback=self._give_up,
        ):
            with attempt:
                return self._ask(texts)
        raise AssertionError("unreachable: the last attempt raises")

    def _ask(self, texts: Sequence[str]) -> "Vectors":
        import httpx

        from factory.base.hosts import InternalHostError, check_host, check_peer

        login = self.login
        key = {"Authorization": f"Bearer {login.password}"} if login.password else {}
        auth = httpx.BasicAuth(login.user, login.password or "") if login.user else None
        asked: dict[str, Any] = {
            "model": self.section.model,
            "input": list(texts),
            "encoding_format": "float",
        }
        if self.section.dimensions:
            asked["dimensions"] = self.section.dimensions
        try:
            check_host(self.url.host, self.hosts)
            request = self.client.build_request(
                "POST",
                self.url,
                json=asked,
                headers={**({} if auth else key), **login.headers},
                extensions=check_peer(self.url.host, self.hosts),
            )
            response = self.client.send(request, auth=auth, stream=True)
            try:
                content = self._content(response)
            finally:
                response.close()
        except InternalHostError as error:
            raise EmbedError(str(error)) from None
        except httpx.TimeoutException:
            raise BusyServerError(
                f"{self.shown} did not answer within {self.section.timeout} seconds"
            ) from None
        except httpx.RequestError as error:
            raise BusyServerError(
                f"{self.shown} cannot be reached: {self._shown(str(error))}"
            ) from None
        self._check_status(response, content)
        self.sent += len(texts)
        return self._vectors(content, len(texts))

    def _content(self, response: "httpx.Response") -> bytes:
        content = bytearray()
        for piece in response.iter_bytes():
            content += piece
            if len(content) > _ANSWER_BYTES:
                raise EmbedError(
                    f"{self.shown} answers with more than {_ANSWER_BYTES:,} bytes: write a smaller `batch`"
                )
        return bytes(content)

    def _check_status(self, response: "httpx.Response", content: bytes) -> None:
        status = response.status_code
        if status in _PASSING:
            raise BusyServerError(f"{self.shown} answered {status}", _asked_wait(response))
        if status in (401, 403):
            named = self.section.connection
            raise EmbedError(
                f"{self.shown} answered {status}: "
                + (
                    f"the password of the connection {named!r} is no key that it takes"
                    if named
                    else "name an Airflow connection with the key in `connection`"
                )
            )
        if not response.is_success:
            said = self._shown(content.decode("utf-8", "replace"))
            raise EmbedError(
                f"{self.shown} answered {status}: {said}. Correct `url`, `model` or `dimensions`; where a text is too "
                "long for the model, let `chunk` make shorter ones"
            )

    def _vectors(self, content: bytes, texts: int) -> "Vectors":
        import numpy as np

        try:
            answer = json.loads(content)
            rows = sorted(answer["data"], key=lambda row: row["index"])
            numbers = [row["embedding"] for row in rows]
            used = int((answer.get("usage") or {}).get("total_tokens") or 0)
            sizes = {len(row) for row in numbers}
            vectors = np.array(numbers if len(sizes) == 1 else [], np.float32)
        except (ValueError, KeyError, TypeError) as error:
            raise EmbedError(
                f"{self.shown} does not answer as OpenAI's `/embeddings` does ({type(error).__name__}): correct `url`"
            ) from None
        self.tokens += used
        if len(numbers) != texts:
            raise EmbedError(
                f"{self.shown} sent {len(numbers):,} vectors for {texts:,} texts: it is no server that can be used"
            )
        expected = {self.size} if self.size else sizes
        if len(sizes) != 1 or sizes != expected:
            wrong = ", ".join(f"{size:,}" for size in sorted(sizes))
            said = "`dimensions` has it" if self.section.dimensions else "before"
            wanted = f"{self.size:,}, as {said}" if self.size else "one size"
            raise EmbedError(
                f"{self.shown} sent vectors of {wrong} numbers instead of {wanted}: write the `dimensions` that the "
                f"model {self.section.model!r} has, or name another model"
            )
        if not np.isfinite(vectors).all():
            raise EmbedError(f"{self.shown} sent vectors with numbers that are not finite")
        self.size = vectors.shape[1]
        return vectors

    def _shown(self, text: str) -> str:
        """What a server says, shortened and without what was sent to let us in."""
        from factory.base.secrets import without_secrets

        said = " ".join(text.split())
        for secret in filter(None, (self.login.password, *self.login.headers.values())):
            said = said.replace(secret, "***")
        return without_secrets(said)[:_SHOWN]

    def _wait(self, state: "RetryCallState") -> float:
        error = state.outcome.exception() if state.outcome else None
        by_itself = min(60.0, self.section.patience * 2.0 ** (state.attempt_number - 1))
        asked = error.wait if isinstance(error, BusyServerError) else None
        return by_itself if asked is None else asked

    def _give_up(self, state: "RetryCallState") -> None:
        error = state.outcome.exception() if state.outcome else None
        raise BusyServerError(
            f"{error}, in {self.section.tries} tries: write a smaller `batch`, ask for a higher limit, or run it again "
            "later. What is embedded is kept, and is not sent again"
        ) from None


def _asked_wait(response: "httpx.Response") -> float | None:
    """The seconds of `Retry-After`.

    Raises:
        FactoryError: It asks for so long a time that the task had better end.
    """
    said = response.headers.get("retry-after")
    if said is None:
        return None
    try:
        wait = float(said)
    except ValueError:
        try:
            wait = parsedate_to_datetime(said).timestamp() - time.time()
        except ValueError:
            return None
    if wait > _LONGEST_WAIT:
        raise FactoryError(
            f"the server answered {response.status_code} and asks to wait {wait:,.0f} seconds: run it again then. What is "
            "embedded is kept"
        )
    return max(0.0, wait)


def _log_retry(state: "RetryCallState") -> None:
    error = state.outcome and state.outcome.exception()
    sleep = state.next_action.sleep if state.next_action else 0
    log.warning(
        "try %d failed: %s; the next one is in %.1f seconds", state.attempt_number, error, sleep
    )
