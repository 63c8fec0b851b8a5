"""What a sweep of training jobs may cost at most, before it begins."""

from dataclasses import dataclass

from factory.training.backends.sections import SageMaker

_HOUR = 3600


@dataclass(frozen=True)
class Estimate:
    """The most that a sweep is billed for if each trial is trained once.

    Spot instances are reckoned at the full price: how much cheaper they are is not known before.
    Storage and transfer are left out; they are cents beside the instances.
    """

    trials: int
    max_runtime: int
    """Seconds, of each trial."""
    price: float
    """USD an hour."""

    @property
    def cost(self) -> float:
        """In USD."""
        return self.trials * self.max_runtime / _HOUR * self.price

    def exceeds(self, limit: float) -> str:
        """Says that the sweep may cost more than `limit`, with all figures; empty if it cannot."""
        if self.cost <= limit:
            return ""
        return (
            f"{self.trials} trial{'s' if self.trials > 1 else ''} of up to "
            f"{self.max_runtime / _HOUR:.4g} h at {self.price:.4g} USD an hour may cost {self.cost:.2f} USD, more than `max_cost` ({limit:.2f} USD)"
        )


def estimate(backend: SageMaker, trials: int, price: float) -> Estimate:
    """The estimate for so many trials, at a price in USD an hour."""
    return Estimate(trials=trials, max_runtime=backend.max_runtime, price=price)


def cost_of(billed: int, price: float) -> float:
    """What seconds that were billed cost in USD, at a price in USD an hour."""
    return billed / _HOUR * price
