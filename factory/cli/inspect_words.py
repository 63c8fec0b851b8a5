"""Numbers and values of a column in the few signs that `factory inspect` has for them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from factory.base.texts import in_quotes, shown
from factory.data.profile.facts import ColumnFacts

_BARS = "▁▂▃▄▅▆▇█"
_SHOWN = 4


def bars(counts: Sequence[int]) -> str:
    """A bar for each count, the highest for the largest; a blank for none."""
    most = max(counts, default=0)
    if not most:
        return ""
    return "".join(
        " " if not count else _BARS[min(len(_BARS) - 1, count * len(_BARS) // (most + 1))]
        for count in counts
    )


def picture(facts: ColumnFacts, most: int) -> list[int]:
    """How the values of a column are distributed: at most so many counts.

    Numbers and points in time from the smallest to the largest, others from the most to the least frequent.
    """
    if facts.histogram is None:
        return (
            [count for _, count in facts.top[:most]]
            if facts.distinct <= facts.values / 2 or facts.distinct <= 2
            else []
        )
    counts = list(facts.histogram.counts)
    size = -(-len(counts) // most)
    return [sum(counts[at : at + size]) for at in range(0, len(counts), size)]


def share(count: int, of: int) -> str:
    """A share in few signs: `0.6 %`."""
    part = 100 * count / of if of else 0.0
    if count and part < 0.1:
        return "<0.1 %"
    return f"{part:.1f} %" if part < 99.95 or count == of else ">99.9 %"


def span(facts: ColumnFacts) -> str:
    """The values of a column in one line: a range, or those that come most."""
    if not facts.values or facts.is_nested:
        return ""
    if facts.is_number:
        middle = (
            f", median {number(facts.quartiles[1])}"
            if facts.quartiles and facts.distinct > 2
            else ""
        )
        return (
            f"{number(facts.minimum)} … {number(facts.maximum)}{middle}"
            if facts.distinct > 1
            else number(facts.minimum)
        )
    if facts.is_time:
        return (
            f"{shown(facts.minimum, 30)} … {shown(facts.maximum, 30)}"
            if facts.distinct > 1
            else shown(facts.minimum, 30)
        )
    if facts.distinct > facts.values / 2 and facts.distinct > _SHOWN:
        examples = ", ".join(in_quotes(value, 24) for value, _ in facts.top[:2])
        return f"{examples} …"
    named = [f"{_plain(value)} {share(count, facts.values)}" for value, count in facts.top[:_SHOWN]]
    return ", ".join(named) + (" …" if facts.distinct > _SHOWN else "")


def _plain(value: str) -> str:
    """A value as it is; in quotation marks where one would not see it."""
    text = shown(value, 24)
    return text if text and text == text.strip() else repr(text)


def number(value: Any) -> str:
    """A number with at most six digits."""
    if isinstance(value, int):
        return str(value)
    if value == int(value) and abs(value) < 1e15:
        return str(int(value))
    return f"{value:.6g}"


def edge(facts: ColumnFacts, at: float) -> str:
    """A place on the axis of a histogram, as its column has it."""
    if facts.is_time:
        try:
            return (
                datetime.fromtimestamp(at, UTC)
                .isoformat(sep=" ")
                .removesuffix("+00:00")
                .removesuffix(" 00:00:00")
            )
        except (OverflowError, ValueError, OSError):
            return ""
    return number(at)
