"""Ctrl-C, SIGTERM and SIGHUP as a question that the main loop asks, not as a surprise."""

import select
import signal
import socket
from types import FrameType, TracebackType
from typing import Any, Self

from factory.runtime.errors import Interrupted

_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopSignals:
    """While active, these signals raise nothing by themselves; `pause` raises at a safe point.

    A signal between a process's start and the line that notes it would otherwise lose that process.

    Ctrl-C and SIGTERM are heeded whatever was inherited: a shell without job control, such as that
    of a CI job, starts background commands with SIGINT ignored. SIGHUP that is ignored stays so:
    `nohup factory up &` survives its terminal. What is started within the block does not inherit
    that SIGINT was ignored, since a signal with a handler has its default effect after `exec`.
    """

    def __init__(self) -> None:
        self._received: list[int] = []
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        self._reader, self._writer = socket.socketpair()
        self._reader.settimeout(0)
        self._writer.settimeout(0)
        # Written to at once, by C: the handler below runs only when `select` has returned, and a signal
        # just before `select` would otherwise wait for its end.
        self._woken_before = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        for number in _STOPPING:
            if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._woken_before)
        self._reader.close()
        self._writer.close()

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self._received.append(number)

    def hurried(self) -> bool:
        """Whether somebody asked twice."""
        return len(self._received) > 1

    def pause(self, seconds: float) -> None:
        """Wait, or raise at once when a signal has come or comes.

        Raises:
            Interrupted: with the signal's number.
        """
        if not self._received and select.select([self._reader], [], [], seconds)[0]:
            self._reader.recv(1024)  # of other signals too
        if self._received:
            raise Interrupted(self._received[0])
