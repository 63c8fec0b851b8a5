"""Downloads of files from servers that are not trusted: within limits, without telling secrets."""

import logging
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    wait_exponential_jitter,
)

from factory.base.errors import FactoryError, TerminalError
from factory.base.hosts import InternalHostError, check_host, check_peer

log = logging.getLogger(__name__)

# httpx logs whole addresses, with the tokens in them, and httpcore headers.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)

_ATTEMPTS = 4
_REDIRECTS = 5
_TIMEOUT = httpx.Timeout(60.0, connect=10.0)
_CHUNK = 1 << 20
_PROGRESS_SECONDS = 10.0
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})


class DownloadError(TerminalError):
    """An address that gives no usable file."""


class ServerUnavailableError(FactoryError):
    """A server that did not answer, or not properly, however often it was asked."""


@dataclass(frozen=True)
class Login:
    """What is sent to the server that the address names, and to no other."""

    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    host: str | None = None
    """The server that it is for; None where its connection does not say."""

    def check_host(self, url: httpx.URL, connection: str) -> None:
        """Check that it may be sent to an address, which a team has written, and its connection has not.

        Raises:
            DownloadError: It is for another server.
        """
        if self.host and self.host.lower() != url.host.lower():
            raise DownloadError(
                f"the connection {connection!r} is for {self.host}, and what it holds is not sent to {url.host}: "
                "name a connection of that server, or none"
            )


def download(
    url: str,
    file: Path,
    *,
    max_bytes: int,
    login: Login,
    internal_hosts: Collection[str] = (),
    patience: float = 0.5,
) -> None:
    """Stream what is behind an address into a file.

    Args:
        url: An http or https address.
        file: The file to make or to replace; it is complete, or the call raises.
        max_bytes: The most bytes to write, counted as they arrive and after decoding.
        login: Sent to the first server only, wherever that redirects.
        internal_hosts: Servers that may be asked though they are internal: see `factory.base.hosts`.
        patience: Seconds before the second attempt; later ones wait twice as long each.

    Raises:
        DownloadError: when the address or the file cannot be used: 4xx, too large, no http, internal.
        ServerUnavailableError: when the server failed four times.
    """
    shown = _without_secrets(httpx.URL(url))
    # httpx, left to follow redirects, reads the whole body of each, however long that is.
    with httpx.Client(timeout=_TIMEOUT, follow_redirects=False) as client:
        for attempt in Retrying(
            retry=retry_if_exception_type((httpx.RequestError, ServerUnavailableError)),
            stop=stop_after_attempt(_ATTEMPTS),
            wait=wait_exponential_jitter(initial=patience, max=20, jitter=patience),
            before_sleep=_log_retry,
            retry_error_callback=lambda state: _give_up(state, shown),
        ):
            with attempt:
                _fetch(client, httpx.URL(url), file, max_bytes, login, internal_hosts)


def _fetch(
    client: httpx.Client,
    url: httpx.URL,
    file: Path,
    max_bytes: int,
    login: Login,
    internal_hosts: Collection[str],
) -> None:
    first = url
    for _ in range(_REDIRECTS + 1):
        if url.scheme not in ("http", "https"):
            raise DownloadError(f"{_without_secrets(first)} leads to a {url.scheme} address")
        own = login if _same_server(url, first) else Login()
        response = _answer(client, url, own, internal_hosts)
        try:
            if response.next_request is None:
                _check_status(response)
                _save(response, file, max_bytes)
                return
            url = response.next_request.url
        finally:
            response.close()
    raise DownloadError(f"{_without_secrets(first)} redirects more than {_REDIRECTS} times")


def _answer(
    client: httpx.Client, url: httpx.URL, login: Login, internal_hosts: Collection[str]
) -> httpx.Response:
    """What a server answers, its body unread."""
    auth = httpx.BasicAuth(login.user, login.password or "") if login.user else None
    try:
        check_host(url.host, internal_hosts)
        request = client.build_request(
            "GET",
            url,
            headers=dict(login.headers),
            extensions=check_peer(url.host, internal_hosts),
        )
        return client.send(request, auth=auth, stream=True)
    except InternalHostError as error:
        raise DownloadError(str(error)) from None


def _check_status(response: httpx.Response) -> None:
    shown = _without_secrets(response.url)
    if response.status_code in _PASSING:
        raise ServerUnavailableError(f"{shown} answered {response.status_code}")
    if response.status_code in (401, 403):
        raise DownloadError(
            f"{shown} answered {response.status_code}: name an Airflow connection that may read "
            "it in `source.connection`"
        )
    if response.status_code != httpx.codes.OK:
        raise DownloadError(
            f"{shown} answered {response.status_code} {response.reason_phrase}: correct `source.url`"
        )


def _save(response: httpx.Response, file: Path, max_bytes: int) -> None:
    shown, written, last = _without_secrets(response.url), 0, time.monotonic()
    with file.open("wb") as target:
        # Counted after decoding: a small compressed answer may unpack to anything.
        for chunk in response.iter_bytes(_CHUNK):
            written += len(chunk)
            if written > max_bytes:
                raise DownloadError(
                    f"{shown} is larger than {max_bytes:,} bytes: raise `source.max_bytes` if "
                    "that is right"
                )
            target.write(chunk)
            if time.monotonic() - last >= _PROGRESS_SECONDS:
                last = time.monotonic()
                log.info("downloading %s: %s bytes so far", shown, f"{written:,}")
    log.info("downloaded %s: %s bytes", shown, f"{written:,}")


def _same_server(one: httpx.URL, other: httpx.URL) -> bool:
    return (one.scheme, one.host, one.port) == (other.scheme, other.host, other.port)


def _without_secrets(url: httpx.URL) -> str:
    """Addresses carry tokens in their query, and logins in front of the host."""
    return str(url.copy_with(username=None, password=None, query=None, fragment=None))


def _log_retry(state: RetryCallState) -> None:
    error = state.outcome and state.outcome.exception()
    log.warning("attempt %d of %d failed: %s", state.attempt_number, _ATTEMPTS, error)


def _give_up(state: RetryCallState, shown: str) -> None:
    error = state.outcome.exception() if state.outcome else None
    raise ServerUnavailableError(
        f"{shown} could not be read in {_ATTEMPTS} attempts: {error}"
    ) from error
