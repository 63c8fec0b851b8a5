"""Rings in a graph: what waits for each other, and so never starts, or never stops."""

from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import TypeVar

Why = TypeVar("Why")

Links = dict[str, dict[str, Why]]
"""By name: the names that it waits for, and why."""


def rings(reads: Mapping[str, set[str]]) -> Iterator[tuple[str, ...]]:
    """Rings, each from a name to what reads it, until taking these links away leaves none.

    Args:
        reads: By name: the names that it reads.
    """
    left = {name: set(read) for name, read in reads.items()}
    while True:
        try:
            TopologicalSorter({name: sorted(read) for name, read in left.items()}).prepare()
        except CycleError as error:
            found: list[str] = error.args[1][:-1]
            first = found.index(min(found))
            ring = (*found[first:], *found[:first])
            yield ring
            for name, reader in zip(ring, (*ring[1:], ring[0]), strict=True):
                left[reader].discard(name)
        else:
            return
