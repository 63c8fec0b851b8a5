"""Estimators that take their time, or fail."""

import os
import time
from pathlib import Path
from typing import Any, Self

from sklearn.tree import DecisionTreeClassifier

from factory.base.errors import FactoryError


class Slow(DecisionTreeClassifier):
    """Learns once a file is there; says in another that it has begun, and in which process."""

    def __init__(self, gate: str = "", begun: str = "", max_depth: int | None = None) -> None:
        super().__init__(max_depth=max_depth)
        self.gate = gate
        self.begun = begun

    def fit(self, *arguments: Any, **named: Any) -> Self:
        with Path(self.begun).open("a") as file:
            file.write(f"{os.getpid()}\n")
        while not Path(self.gate).exists():
            time.sleep(0.05)
        return super().fit(*arguments, **named)


class Unlucky(DecisionTreeClassifier):
    """Fails in a way that may pass."""

    def fit(self, *arguments: Any, **named: Any) -> Self:
        raise FactoryError("the moon is in the wrong house")
