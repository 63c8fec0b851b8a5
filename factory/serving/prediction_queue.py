"""Predict in threads: never more at once than are of use, together what waits, each with an end in sight."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Subject = TypeVar("Subject", bound=Hashable)
Result = TypeVar("Result")

_TOGETHER_BYTES = 64 * 1024
"""Bodies that are answered together at most: a large one is not to keep small ones waiting."""


class BusyError(Exception):
    """So many requests wait that another one had better come back later."""


@dataclass(frozen=True, eq=False)
class _Request(Generic[Result]):
    body: bytes
    answer: Future[Result] = field(default_factory=Future)


class PredictionQueue(Generic[Subject, Result]):
    """A bounded queue in front of a few threads.

    A thread that becomes free takes all small requests that wait for the same model: predicting a
    hundred rows takes hardly longer than predicting one. Nobody waits for others to come.

    Args:
        together: Answers requests to one model; an answer or an error for each.
        threads: How many predict at once.
        waiting: How many requests may wait for them.
        seconds: How long one may take, its waiting included.
    """

    def __init__(
        self,
        together: Callable[[Subject, Sequence[bytes]], Sequence[Result | Exception]],
        *,
        threads: int,
        waiting: int,
        seconds: float,
    ) -> None:
        self._together = together
        self._places = threads + waiting
        self._taken = 0
        self._seconds = seconds
        self._lock = threading.Lock()
        self._queues: dict[Subject, deque[_Request[Result]]] = {}
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="predict")

    async def ask(self, asked: Subject, body: bytes) -> Result:
        """The answer to one request.

        A prediction that has begun cannot be stopped: it keeps its place until it ends by itself.

        Raises:
            BusyError: There is no place.
            TimeoutError: It took too long.
        """
        if self._taken >= self._places:
            raise BusyError
        self._taken += 1
        loop = asyncio.get_running_loop()
        request = _Request[Result](body)
        request.answer.add_done_callback(lambda _done: self._leave(loop))
        with self._lock:
            self._queues.setdefault(asked, deque()).append(request)
        # As many turns as requests; a turn finds nothing if an earlier one took more than its own.
        self._pool.submit(self._turn, asked)
        async with asyncio.timeout(self._seconds):
            return await asyncio.wrap_future(request.answer)

    def close(self) -> None:
        """Take no more requests."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _turn(self, asked: Subject) -> None:
        # What nobody waits for any more has been cancelled, and is left out.
        requests = [
            each for each in self._take(asked) if each.answer.set_running_or_notify_cancel()
        ]
        if not requests:
            return
        try:
            answers = self._together(asked, [each.body for each in requests])
        except BaseException as error:
            for each in requests:
                each.answer.set_exception(error)
            raise
        for each, answer in zip(requests, answers, strict=True):
            if isinstance(answer, Exception):
                each.answer.set_exception(answer)
            else:
                each.answer.set_result(answer)

    def _take(self, asked: Subject) -> list[_Request[Result]]:
        """The next requests to one model: one, and as many more as are small."""
        taken: list[_Request[Result]] = []
        with self._lock:
            queue = self._queues.get(asked, deque())
            length = 0
            while queue:
                length += len(queue[0].body)
                if taken and length > _TOGETHER_BYTES:
                    break
                taken.append(queue.popleft())
            if not queue:
                self._queues.pop(asked, None)
        return taken

    def _leave(self, loop: asyncio.AbstractEventLoop) -> None:
        with suppress(RuntimeError):  # The service has ended meanwhile.
            loop.call_soon_threadsafe(self._free)

    def _free(self) -> None:
        self._taken -= 1
