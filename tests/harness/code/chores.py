"""Functions and an estimator that the team files of `test_resources` name by dotted path.

What is created and destroyed is written down in the file JOURNAL, a line each.
"""

import os
import signal
from pathlib import Path
from typing import Any, Self

import pandas as pd
from sklearn.linear_model import LogisticRegression


def journal(line: str) -> None:
    with Path(os.environ["JOURNAL"]).open("a") as file:
        file.write(f"{line}\n")


def make(*, name: str, broken: str = "") -> dict[str, str]:
    journal(f"create {name}")
    if broken == "create":
        raise RuntimeError(f"{name} came out broken")
    return {"name": name}


def drop(*, name: str, created: dict[str, str] | None, broken: str = "") -> None:
    journal(f"destroy {name} {'whole' if created else 'unfinished'}")
    if broken == "destroy":
        raise RuntimeError(f"{name} cannot be destroyed")


def rows(*, inside: str, broken: bool = False) -> pd.DataFrame:
    journal(f"use {inside}")
    if broken:
        raise RuntimeError("the rows are the cause")
    return pd.DataFrame({"inside": [inside]})


class Endless(LogisticRegression):
    """Says which process it is and learns for ever."""

    def fit(self, *arguments: Any, **named: Any) -> Self:
        journal(f"fitting in {os.getpid()}")
        while True:
            signal.pause()
