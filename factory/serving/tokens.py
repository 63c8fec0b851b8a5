"""Who may ask: whoever brings one of the tokens in a file, which may change while the service runs."""

import hmac
import logging
from pathlib import Path

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from factory.base.errors import TerminalError

logger = logging.getLogger(__name__)

SHORTEST = 16
"""Characters of a token; a shorter one can be guessed."""
OPEN_PATHS = frozenset(("/healthz", "/healthz/live", "/healthz/ready", "/ping"))
"""What a load balancer asks, which has no token."""


class TokenFile:
    """The tokens of a file, one a line; `#` begins a comment.

    The file is read again when it has changed: write the new token beside the old one, let callers change,
    and take the old one out.
    """

    def __init__(self, path: Path) -> None:
        """Read the file.

        Raises:
            TerminalError: It cannot be read, or holds no token, or one that is too short.
        """
        self.path = path
        self._seen = self._stamp()
        self._tokens = self._read()

    def accepts(self, token: str) -> bool:
        """Whether a token is one of the file's."""
        self._follow()
        given = token.encode()
        # Each is compared, and all of each: how long that takes tells nothing.
        return sum(hmac.compare_digest(given, known) for known in self._tokens) > 0

    def _follow(self) -> None:
        try:
            stamp = self._stamp()
            if stamp == self._seen:
                return
            self._tokens, self._seen = self._read(), stamp
        except TerminalError as error:
            logger.warning("%s; the tokens from before go on being accepted", error)
            return
        logger.info("%s has changed: %d tokens", self.path, len(self._tokens))

    def _stamp(self) -> tuple[int, int, int]:
        try:
            found = self.path.stat()
        except OSError as error:
            raise self._unreadable(error) from None
        return (found.st_mtime_ns, found.st_size, found.st_ino)

    def _read(self) -> tuple[bytes, ...]:
        try:
            lines = self.path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise self._unreadable(error) from None
        tokens = [token for line in lines if (token := line.partition("#")[0].strip())]
        if not tokens:
            raise TerminalError(f"{self.path} holds no token: write one a line")
        if short := [number for number, token in enumerate(tokens, 1) if len(token) < SHORTEST]:
            raise TerminalError(
                f"{self.path}: token {short[0]} has fewer than {SHORTEST} characters: make one with "
                "`python -c 'import secrets; print(secrets.token_urlsafe())'`"
            )
        return tuple(token.encode() for token in tokens)

    def _unreadable(self, error: Exception) -> TerminalError:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        return TerminalError(f"the tokens in {self.path} cannot be read ({why})")


class RequireToken:
    """Answers 401 to requests without a token, but for those about the service's health."""

    def __init__(self, app: ASGIApp, tokens: TokenFile) -> None:
        self.app = app
        self.tokens = tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI has it."""
        if scope["type"] == "http" and scope["path"] not in OPEN_PATHS and not self._may(scope):
            body = {"detail": "bring a token of this service: `Authorization: Bearer <token>`"}
            answer = JSONResponse(body, status_code=401, headers={"WWW-Authenticate": "Bearer"})
            await answer(scope, receive, send)
            return
        await self.app(scope, receive, send)

    def _may(self, scope: Scope) -> bool:
        written = [value for name, value in scope["headers"] if name == b"authorization"]
        if len(written) != 1:
            return False
        scheme, _, token = written[0].decode("latin-1").partition(" ")
        return scheme.lower() == "bearer" and self.tokens.accepts(token.strip())
