"""Whether `strategy: tpe` finds better hyperparameters than `strategy: random` with the same number of trials.

`python -m benchmarks.search` tries both on problems that ship with scikit-learn, with ten seeds each, and says how good
the best trial of each is on the validation rows. The sets come from the strategies that sweeps use, wave by wave; they are
trained here without Airflow, which changes nothing about them.
"""

import argparse
import json
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter
from rich.console import Console
from rich.table import Table

from factory import kinds
from factory.base.objects import build_estimator
from factory.training.search.strategy import AnySearch, SearchStrategy, Trial

STRATEGIES: Mapping[str, Mapping[str, Any]] = {"random": {}, "tpe": {"waves": 4}}
"""The strategies, with what only they take."""


@dataclass(frozen=True, eq=False)
class Problem:
    """An estimator on rows, with what is to be tried."""

    name: str
    estimator: str
    params: Mapping[str, Any]
    rows: Callable[[], tuple[Any, Any]]
    scoring: str
    """scikit-learn's name of the metric; more is better."""


def _digits() -> tuple[Any, Any]:
    from sklearn.datasets import load_digits

    return load_digits(return_X_y=True)


def _diabetes() -> tuple[Any, Any]:
    from sklearn.datasets import load_diabetes

    return load_diabetes(return_X_y=True)


def _cancer() -> tuple[Any, Any]:
    from sklearn.datasets import load_breast_cancer

    return load_breast_cancer(return_X_y=True)


PROBLEMS = (
    Problem(
        "digits, SVC, 2 numbers",
        "sklearn.svm.SVC",
        {"C": {"loguniform": [1e-3, 1e3]}, "gamma": {"loguniform": [1e-6, 1.0]}},
        _digits,
        "accuracy",
    ),
    Problem(
        "diabetes, gradient boosting, 5 numbers",
        "sklearn.ensemble.GradientBoostingRegressor",
        {
            "n_estimators": {"randint": [10, 200]},
            "learning_rate": {"loguniform": [1e-3, 1.0]},
            "max_depth": {"randint": [1, 6]},
            "subsample": {"uniform": [0.3, 1.0]},
            "max_features": {"uniform": [0.1, 1.0]},
        },
        _diabetes,
        "neg_root_mean_squared_error",
    ),
    Problem(
        "breast cancer, tree, 3 numbers, 2 words",
        "sklearn.tree.DecisionTreeClassifier",
        {
            "max_depth": {"randint": [1, 20]},
            "min_samples_leaf": {"randint": [1, 50]},
            "ccp_alpha": {"loguniform": [1e-5, 1e-1]},
            "criterion": ["gini", "entropy", "log_loss"],
            "splitter": ["best", "random"],
        },
        _cancer,
        "neg_log_loss",
    ),
)


@dataclass(frozen=True)
class Found:
    """The best score of each seed."""

    problem: str
    scoring: str
    scores: Mapping[str, Sequence[float]]
    """By the strategy."""

    @property
    def won(self) -> int:
        """With how many seeds `tpe` was better."""
        pairs = zip(self.scores["tpe"], self.scores["random"], strict=True)
        return sum(tpe > random for tpe, random in pairs)


def compare(problem: Problem, trials: int, seeds: Sequence[int]) -> Found:
    """Let both strategies look for the best set, once with each seed."""
    scores = {
        name: [best(_search(name, problem, trials, seed), problem) for seed in seeds]
        for name in STRATEGIES
    }
    return Found(problem.name, problem.scoring, scores)


def best(search: SearchStrategy, problem: Problem) -> float:
    """The best score of all waves of a search."""
    scored: list[tuple[Trial, float | None]] = []
    for wave in range(1, search.wave_count + 1):
        trials = search.expand() if wave == 1 else search.expand_wave(wave, scored)
        scored += [(trial, _score(problem, trial)) for trial in trials]
    return max(score for _, score in scored if score is not None)


def _search(name: str, problem: Problem, trials: int, seed: int) -> SearchStrategy:
    candidates = [{"estimator": problem.estimator, "params": problem.params}]
    section = {"strategy": name, "trials": trials, "seed": seed, "candidates": candidates}
    return TypeAdapter(AnySearch).validate_python({**section, **STRATEGIES[name]})


def _score(problem: Problem, trial: Trial) -> float:
    from sklearn.metrics import get_scorer

    train, validation, of_train, of_validation = _divided(problem)
    estimator = build_estimator(problem.estimator, trial.params, seed=0)
    estimator.fit(train, of_train)
    return float(get_scorer(problem.scoring)(estimator, validation, of_validation))


@cache
def _divided(problem: Problem) -> tuple[Any, ...]:
    from sklearn.model_selection import train_test_split

    return tuple(train_test_split(*problem.rows(), test_size=0.4, random_state=0))


def report(found: Sequence[Found], trials: int) -> Table:
    """The means and standard deviations, and how often `tpe` was better."""
    table = Table("best of each sweep", "metric", "random", "tpe", "tpe better")
    table.title = f"{trials} trials a sweep, mean and standard deviation over the seeds"
    for one in found:
        cells = [
            f"{statistics.mean(scores):.4f} ± {statistics.stdev(scores):.4f}"
            for scores in one.scores.values()
        ]
        seeds = len(one.scores["tpe"])
        table.add_row(one.problem, one.scoring, *cells, f"{one.won} of {seeds}")
    return table


def main() -> None:
    """Compare, print, and write the figures down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--output", type=Path, default=Path(".factory/bench-search.json"))
    options = parser.parse_args()
    kinds.prepare()
    found = []
    for problem in PROBLEMS:
        found.append(compare(problem, options.trials, range(options.seeds)))
        print(f"{problem.name}: done", flush=True)
    Console().print(report(found, options.trials))
    options.output.parent.mkdir(parents=True, exist_ok=True)
    figures = {
        one.problem: {name: list(scores) for name, scores in one.scores.items()} for one in found
    }
    options.output.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
