"""Slow work on many things, a few at a time, with results in the things' order."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Thing = TypeVar("Thing")
Outcome = TypeVar("Outcome")


def in_order(
    things: Iterable[Thing], work: Callable[[Thing], Outcome], *, at_once: int
) -> Iterator[tuple[Thing, Outcome]]:
    """Every thing with what the work made of it; no more than `at_once` wait to be used.

    The first error ends it: what has not begun by then is not begun.

    Args:
        things: Asked for as they are needed.
        work: Called in threads.
        at_once: How many threads there are.
    """
    left = iter(things)
    # Alone: what work makes at its first use, such as a connection, is made once.
    for thing in islice(left, 1):
        yield thing, work(thing)
    pool = ThreadPoolExecutor(at_once, thread_name_prefix="ahead")
    under_way: deque[tuple[Thing, Future[Outcome]]] = deque()
    try:
        for thing in islice(left, at_once):
            under_way.append((thing, pool.submit(work, thing)))
        while under_way:
            thing, future = under_way.popleft()
            outcome = future.result()
            for further in islice(left, 1):
                under_way.append((further, pool.submit(work, further)))
            yield thing, outcome
    finally:
        pool.shutdown(cancel_futures=True)
