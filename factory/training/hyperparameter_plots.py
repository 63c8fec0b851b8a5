"""Plots of what a sweep has learned about hyperparameters: how far it came, which of them matter, which values are good."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps, colors
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from numpy.typing import NDArray

from factory.training.plots import panel, save
from factory.training.search.strategy import as_text
from factory.training.trial import Evaluation

FEWEST_TRIALS = 8
"""Of fewer, nothing can be said about a hyperparameter."""

ESTIMATOR = "estimator"
_ABSENT = object()
_MOST_PARAMS = 12
_MOST_WORDS = 12
_WIDE = 100.0
"""Positive numbers of which the largest is so many times the smallest are drawn, and learned from, by their logarithm."""


@dataclass(frozen=True)
class Tried:
    """A hyperparameter that varies, with its value in each trial."""

    name: str
    values: Sequence[Any]
    """`_ABSENT` in trials that have no such hyperparameter."""

    @property
    def is_number(self) -> bool:
        """Whether all its values are numbers."""
        return all(
            isinstance(value, (int, float)) and not isinstance(value, bool) for value in self.given
        )

    @property
    def given(self) -> list[Any]:
        """The values of the trials that have it."""
        return [value for value in self.values if value is not _ABSENT]

    @property
    def words(self) -> tuple[str, ...]:
        """The different values as text, in the order in which they were tried first; none of a number."""
        if self.is_number:
            return ()
        return tuple(dict.fromkeys(map(as_text, self.given)))

    @property
    def by_logarithm(self) -> bool:
        """Whether its numbers are of different orders."""
        if not self.is_number or min(self.given) <= 0:
            return False
        return bool(max(self.given) / min(self.given) >= _WIDE)

    def numbers(self) -> NDArray[np.float64]:
        """Its values as numbers, of words their places; NaN where a trial has none."""
        places = {word: float(place) for place, word in enumerate(self.words)}
        found = [
            np.nan if value is _ABSENT else self._number(value, places) for value in self.values
        ]
        return np.log10(found) if self.by_logarithm else np.array(found)

    def _number(self, value: Any, places: Mapping[str, float]) -> float:
        return places[as_text(value)] if places else float(value)


def tried(evaluations: Sequence[Evaluation]) -> list[Tried]:
    """The hyperparameters that differ among trials, the estimator among them, by name."""
    of_trials = [
        {ESTIMATOR: one.fit.trial.estimator.rpartition(".")[2], **one.fit.trial.all_params}
        for one in evaluations
    ]
    names = sorted({name for params in of_trials for name in params})
    all_of_them = (
        Tried(name, [params.get(name, _ABSENT) for params in of_trials]) for name in names
    )
    return [one for one in all_of_them if len({repr(value) for value in one.values}) > 1]


def importances(found: Sequence[Tried], scores: NDArray[np.float64]) -> dict[str, float]:
    """How much of what a random forest knows about the scores each hyperparameter tells it, the largest first.

    This is the idea of Hutter, Hoos and Leyton-Brown, An Efficient Approach for Assessing Hyperparameter Importance, ICML
    2014, with the forest's own importances in place of their analysis of variance. The sum is 1, or 0 where all scores
    are the same.

    Args:
        found: The hyperparameters that vary.
        scores: The objective of each trial.
    """
    # Importing scikit-learn's ensembles takes half a second.
    from sklearn.ensemble import RandomForestRegressor

    columns, owners = [], []
    for one in found:
        numbers = one.numbers()
        of_words = [
            np.where(np.isnan(numbers), np.nan, numbers == place) for place in range(len(one.words))
        ]
        for column in of_words or [numbers]:
            columns.append(column)
            owners.append(one.name)
    forest = RandomForestRegressor(n_estimators=100, random_state=0)
    forest.fit(np.column_stack(columns), scores)
    sums = {one.name: 0.0 for one in found}
    for name, share in zip(owners, forest.feature_importances_, strict=True):
        sums[name] += float(share)
    return dict(sorted(sums.items(), key=lambda item: -item[1]))


def save_hyperparameters(
    evaluations: Sequence[Evaluation], metric: str, goal: str, folder: Path
) -> list[Path]:
    """Draw the sweep's progress, and the importance and the values of hyperparameters; nothing for few trials.

    Args:
        evaluations: The trials in the order in which they were planned.
        metric: The objective.
        goal: `maximize` or `minimize`.
        folder: Where the plots are stored.

    Returns:
        The plots.
    """
    if len(evaluations) < FEWEST_TRIALS or not (found := tried(evaluations)):
        return []
    scores = np.array([one.metrics[metric] for one in evaluations])
    shares = importances(found, scores)
    most = [one for name in list(shares)[:_MOST_PARAMS] for one in found if one.name == name]
    return [
        _save_progress(evaluations, scores, metric, goal, folder / "progress.png"),
        _save_importances(shares, metric, folder / "importance.png"),
        _save_values(most, scores, metric, goal, folder / "parallel_coordinates.png"),
    ]


def _save_progress(
    evaluations: Sequence[Evaluation],
    scores: NDArray[np.float64],
    metric: str,
    goal: str,
    file: Path,
) -> Path:
    """The best trial so far, by the number of trials and by what they have cost."""
    best = (np.maximum if goal == "maximize" else np.minimum).accumulate(scores)
    costs = [one.fit.cost_usd for one in evaluations if one.fit.cost_usd is not None]
    is_priced = len(costs) == len(evaluations)
    spent = np.cumsum(costs if is_priced else [one.fit.fit_seconds for one in evaluations])
    figure, both = plt.subplots(1, 2, figsize=(10, 4), sharey=True, layout="constrained")
    counts = np.arange(1, len(scores) + 1)
    labels = (
        "trials",
        "USD that they have cost" if is_priced else "seconds that they were trained",
    )
    for axes, at, label in zip(both, (counts, spent), labels, strict=True):
        axes.scatter(at, scores, s=14, color="0.6", label="each trial")
        axes.step(at, best, where="post", label="the best so far")
        axes.set_xlabel(label)
        axes.grid(visible=True, alpha=0.3)
    both[0].set_ylabel(f"{metric} ({goal})")
    both[0].legend()
    return save(figure, file)


def _save_importances(shares: Mapping[str, float], metric: str, file: Path) -> Path:
    shown = list(shares.items())[:_MOST_PARAMS]
    figure, axes = panel(8, 1.5 + 0.3 * len(shown))
    places = np.arange(len(shown))[::-1]
    axes.barh(places, [share for _, share in shown], height=0.7)
    axes.set_yticks(places, [name for name, _ in shown])
    axes.set_xlim(0, 1)
    axes.set_xlabel(f"share of what is known of {metric}")
    axes.set_title("Which hyperparameters matter")
    axes.grid(visible=True, axis="x", alpha=0.3)
    return save(figure, file)


def _save_values(
    found: Sequence[Tried], scores: NDArray[np.float64], metric: str, goal: str, file: Path
) -> Path:
    """Parallel coordinates: a line a trial through its values, the good ones dark and on top."""
    figure, axes = panel(2.5 + 1.6 * len(found), 5)
    turned = scores if goal == "maximize" else -scores
    norm, shades = colors.Normalize(scores.min(), scores.max()), _shades(goal)
    heights = np.column_stack([_heights(one) for one in found])
    for row in np.argsort(turned, kind="stable"):
        axes.plot(
            range(len(found)), heights[row], color=shades(norm(scores[row])), marker=".", alpha=0.8
        )
    for place, one in enumerate(found):
        _mark(axes, place, one)
    axes.set_xticks(range(len(found)), [one.name for one in found], rotation=15, ha="right")
    axes.set_yticks([])
    axes.set_xlim(-0.2, len(found) - 0.1)
    figure.colorbar(ScalarMappable(norm, shades), ax=axes, label=f"{metric} ({goal})")
    return save(figure, file)


def _shades(goal: str) -> colors.Colormap:
    return colormaps["viridis_r" if goal == "maximize" else "viridis"]


def _heights(one: Tried) -> NDArray[np.float64]:
    """Its values between 0 and 1."""
    numbers = one.numbers()
    low, high = np.nanmin(numbers), np.nanmax(numbers)
    return (numbers - low) / (high - low) if high > low else np.full(len(numbers), 0.5)


def _mark(axes: Axes, place: int, one: Tried) -> None:
    """An axis of its own, with its ends or its words."""
    axes.axvline(place, color="0.8", zorder=0)
    numbers = one.numbers()
    if one.words:
        last = len(one.words) - 1
        shown = one.words[:_MOST_WORDS]
        marks = [(word, at / last if last else 0.5) for at, word in enumerate(shown)]
    else:
        given = one.given
        ends = (np.nanmin(numbers), np.nanmax(numbers))
        middle = 10 ** np.mean(ends) if one.by_logarithm else np.mean(ends)
        marks = [
            (f"{value:.4g}", at) for value, at in ((min(given), 0), (middle, 0.5), (max(given), 1))
        ]
    for text, at in marks:
        axes.annotate(text[:24], (place, at), xytext=(4, 2), textcoords="offset points", fontsize=8)
