"""What values are drawn from: by scipy's names where it has them, quantized ones by Azure ML's and Ray Tune's.

To add one: a class here, its name in `DISTRIBUTIONS`, and its row in docs/team-file.md.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from statistics import NormalDist
from typing import ClassVar

_INSIDE = 1e-9
"""How far from the bounds of a distribution its outermost values are, as a share of the whole; of a normal one, six
standard deviations."""
_LARGEST_LOGARITHM = 690.0
_DIGITS = 12
"""Three times 0.1 is 0.3, and not 0.30000000000000004."""


class Distribution(ABC):
    """One of them; `numbers` are those that a team writes."""

    word: ClassVar[str]
    shape: ClassVar[tuple[str, ...]] = ("low", "high")
    """What its numbers are."""
    is_continuous: ClassVar[bool] = True
    """Whether nearly all of its values are fractions, whatever its numbers are."""

    def wrong(self, numbers: list[float]) -> str | None:
        """What is wrong with numbers of which there are as many as there should be."""
        return None if numbers[0] < numbers[1] else "needs low < high"

    @abstractmethod
    def at(self, share: float, numbers: list[float]) -> float:
        """The value below which this share of all lies, from 0 to 1: its quantile function."""

    def outermost(self, numbers: list[float]) -> tuple[float, float]:
        """The lowest and the highest value; whole numbers where it gives only these."""
        return (self.at(0, numbers), self.at(1, numbers))

    def in_words(self, numbers: list[float]) -> str:
        """What is drawn."""
        step = f", in steps of {numbers[2]:g}" if len(numbers) > 2 else ""
        return f"between {numbers[0]:g} and {numbers[1]:g}{step}"


class Uniform(Distribution):
    """Each value between two is as likely as another."""

    word = "uniform"

    def at(self, share: float, numbers: list[float]) -> float:
        """See `Distribution.at`."""
        low, high = numbers
        return low + (high - low) * _inside(share)


class LogUniform(Distribution):
    """Each order of magnitude is as likely as another."""

    word = "loguniform"

    def wrong(self, numbers: list[float]) -> str | None:
        """See `Distribution.wrong`."""
        return None if 0 < numbers[0] < numbers[1] else "needs low < high, both above 0"

    def at(self, share: float, numbers: list[float]) -> float:
        """See `Distribution.at`."""
        low, high = numbers[:2]
        return float(low * (high / low) ** _inside(share))


class RandInt(Distribution):
    """Whole numbers from the first to the last but one."""

    word = "randint"
    is_continuous = False

    def at(self, share: float, numbers: list[float]) -> int:
        """See `Distribution.at`."""
        low, high = map(int, numbers)
        return min(high - 1, low + int(share * (high - low)))

    def in_words(self, numbers: list[float]) -> str:
        """See `Distribution.in_words`."""
        return f"between {numbers[0]:g} and {numbers[1] - 1:g}"


class Normal(Distribution):
    """Gauss's."""

    word = "normal"
    shape: ClassVar[tuple[str, ...]] = ("mean", "standard deviation")

    def wrong(self, numbers: list[float]) -> str | None:
        """See `Distribution.wrong`."""
        return None if numbers[1] > 0 else "needs a standard deviation above 0"

    def at(self, share: float, numbers: list[float]) -> float:
        """See `Distribution.at`."""
        return NormalDist(*numbers[:2]).inv_cdf(_inside(share))

    def in_words(self, numbers: list[float]) -> str:
        """See `Distribution.in_words`."""
        return f"around {numbers[0]:g}, with a standard deviation of {numbers[1]:g}"


class LogNormal(Normal):
    """Values whose natural logarithms are normal."""

    word = "lognormal"
    shape = ("mean of the logarithms", "their standard deviation")

    def wrong(self, numbers: list[float]) -> str | None:
        """See `Distribution.wrong`."""
        if (found := super().wrong(numbers)) is not None:
            return found
        ends = (abs(super(LogNormal, self).at(share, numbers)) for share in (0, 1))
        return (
            "takes logarithms, and e to their power is no number"
            if max(ends) > _LARGEST_LOGARITHM
            else None
        )

    def at(self, share: float, numbers: list[float]) -> float:
        """See `Distribution.at`."""
        return math.exp(super().at(share, numbers))

    def in_words(self, numbers: list[float]) -> str:
        """See `Distribution.in_words`."""
        return f"around {math.exp(numbers[0]):g}"


class QuantizedUniform(Distribution):
    """Values from the first to the second in steps, each as likely as another."""

    word = "quniform"
    shape = ("low", "high", "step")
    is_continuous = False

    def wrong(self, numbers: list[float]) -> str | None:
        """See `Distribution.wrong`."""
        low, high, step = numbers
        return (
            None
            if low < high and 0 < step <= high - low
            else "needs low < high, and a step between them"
        )

    def at(self, share: float, numbers: list[float]) -> float:
        """See `Distribution.at`."""
        low, high, step = numbers
        count = int((high - low) / step * (1 + _INSIDE)) + 1
        return _clean(low + step * min(count - 1, int(share * count)), low, step)


class QuantizedLogUniform(LogUniform):
    """Multiples of a step, each order of magnitude as likely as another."""

    word = "qloguniform"
    shape = ("low", "high", "step")
    is_continuous = False

    def wrong(self, numbers: list[float]) -> str | None:
        """See `Distribution.wrong`."""
        if (found := super().wrong(numbers)) is not None:
            return found
        first, last = _multiples(*numbers) if numbers[2] > 0 else (1, 0)
        return (
            None
            if first < last
            else "needs a step of which several multiples lie between low and high"
        )

    def at(self, share: float, numbers: list[float]) -> float:
        """See `Distribution.at`."""
        step = numbers[2]
        first, last = _multiples(*numbers)
        times = min(last, max(first, round(super().at(share, numbers) / step)))
        return _clean(times * step, step)


class QuantizedNormal(Normal):
    """Multiples of a step, around the mean."""

    word = "qnormal"
    shape = ("mean", "standard deviation", "step")
    is_continuous = False

    def wrong(self, numbers: list[float]) -> str | None:
        """See `Distribution.wrong`."""
        return super().wrong(numbers) or (None if numbers[2] > 0 else "needs a step above 0")

    def at(self, share: float, numbers: list[float]) -> float:
        """See `Distribution.at`."""
        step = numbers[2]
        return _clean(round(super().at(share, numbers) / step) * step, step)


DISTRIBUTIONS: Mapping[str, Distribution] = {
    one.word: one
    for one in (
        Uniform(),
        LogUniform(),
        RandInt(),
        Normal(),
        LogNormal(),
        QuantizedUniform(),
        QuantizedLogUniform(),
        QuantizedNormal(),
    )
}
"""Every distribution by its word."""


def _inside(share: float) -> float:
    return min(1 - _INSIDE, max(_INSIDE, share))


def _multiples(low: float, high: float, step: float) -> tuple[int, int]:
    """The first and the last multiple of the step that lies between two values, as counts."""
    return (math.ceil(low / step * (1 - _INSIDE)), math.floor(high / step * (1 + _INSIDE)))


def _clean(value: float, *written: float) -> float:
    """A value in steps: a whole number where all that is written is whole."""
    if all(isinstance(one, int) for one in written):
        return int(value)
    return round(value, _DIGITS)
