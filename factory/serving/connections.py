"""Connections that bring no request: closed after a while, and few at a time of one caller.

uvicorn waits for the end of a request's head as long as the caller likes, and counts those that wait among
the connections that it can hold: so many of them, and nobody is answered any more.
"""

import asyncio
from collections import defaultdict
from typing import Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol

from factory.serving.limits import ServingLimits


class Unfinished:
    """The connections whose request's head is not there yet, the oldest first, of each caller and of all."""

    def __init__(self, limits: ServingLimits) -> None:
        self.seconds = limits.head_seconds
        self._limits = limits
        # Dictionaries keep the order in which they are filled.
        self._all: dict[Any, None] = {}
        self._of: defaultdict[str, dict[Any, None]] = defaultdict(dict)

    def add(self, peer: str, connection: Any) -> None:
        """Take note of one; the oldest goes where there are too many."""
        for waiting, most in (
            (self._of[peer], self._limits.most_unfinished),
            (self._all, self._limits.most_unfinished_of_all),
        ):
            waiting[connection] = None
            if len(waiting) > most:
                next(iter(waiting)).close_unfinished()

    def remove(self, peer: str, connection: Any) -> None:
        """Forget one: its request has come, or it has closed."""
        self._all.pop(connection, None)
        self._of[peer].pop(connection, None)
        if not self._of[peer]:
            del self._of[peer]


class BoundedProtocol(AutoHTTPProtocol):  # type: ignore[misc, valid-type]
    """One connection, with an end to waiting for a request's head."""

    unfinished: Unfinished
    """All connections of one server; see `bounded_protocol`."""
    _peer = ""
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Wait for the first head."""
        super().connection_made(transport)
        self._peer = self.client[0] if self.client else ""
        self._wait_for_head()

    def data_received(self, data: bytes) -> None:
        """See whether a head is complete, or the next one begins."""
        before = self.cycle
        super().data_received(data)
        if self.cycle is not before:
            self._stop_waiting()
        elif self.cycle is None or self.cycle.response_complete:
            self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._stop_waiting()
        super().connection_lost(exc)

    def close_unfinished(self) -> None:
        """Close it, whatever is still on its way."""
        self._stop_waiting()
        self.transport.abort()

    def _wait_for_head(self) -> None:
        if self._deadline is None and not self.transport.is_closing():
            self._deadline = self.loop.call_later(self.unfinished.seconds, self.close_unfinished)
            self.unfinished.add(self._peer, self)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
            self.unfinished.remove(self._peer, self)


def bounded_protocol(limits: ServingLimits) -> type[BoundedProtocol]:
    """The protocol for one server, whose connections are counted together."""
    return type("BoundedProtocol", (BoundedProtocol,), {"unfinished": Unfinished(limits)})
