"""Plots for people: how a sweep went, and how its winner learned."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt

from factory.trainers.trainer import Steps
from factory.training.model import Model
from factory.training.plots import panel, save
from factory.training.trial import Evaluation

_MOST_TRIALS = 40


def save_sweep(ranking: Sequence[Evaluation], model: Model, file: Path) -> None:
    """Draw the objective of each trial, the best on top.

    Args:
        ranking: Trials from best to worst; the first 40 are drawn.
        model: The model's section of the team file.
        file: Where the plot is stored.
    """
    shown, metric = ranking[:_MOST_TRIALS], model.objective.metric
    figure, axes = panel(8, 1.5 + 0.3 * len(shown))
    places = np.arange(len(shown))[::-1]
    scores = [one.metrics[metric] for one in shown]
    kinds = sorted({one.fit.trial.estimator for one in shown})
    for color, kind in enumerate(kinds):
        chosen = [at for at, one in enumerate(shown) if one.fit.trial.estimator == kind]
        axes.scatter(
            [scores[at] for at in chosen],
            places[chosen],
            color=f"C{color % 10}",
            label=kind.rpartition(".")[2],
        )
    if model.split.folds is not None:
        deviations = [one.deviations[metric] for one in shown]
        axes.errorbar(scores, places, xerr=deviations, fmt="none", ecolor="0.6", zorder=0)
    axes.set_yticks(places, [one.fit.trial.name for one in shown])
    axes.set_xlabel(f"{metric} {model.measured_on} ({model.goal})")
    left_out = len(ranking) - len(shown)
    count = "1 trial" if len(ranking) == 1 else f"{len(ranking)} trials"
    axes.set_title(count + (f", the best {len(shown)}" if left_out else ""))
    axes.grid(visible=True, axis="x", alpha=0.3)
    if len(kinds) > 1:
        axes.legend()
    save(figure, file)


def save_learning_curves(history: Sequence[Mapping[str, float]], steps: Steps, file: Path) -> None:
    """Draw what was measured after each step: the losses, and below them other metrics; a line at the best step.

    Args:
        history: The steps, the first one first; each holds the same names.
        steps: What they are.
        file: Where the plot is stored.
    """
    names = [name for name in history[0] if name != "seconds"]
    losses = [name for name in names if name.endswith("loss")]
    panels = [losses, *([name] for name in names if name not in losses)]
    figure, rows = plt.subplots(
        len(panels), sharex=True, squeeze=False, figsize=(8, 3 * len(panels)), layout="constrained"
    )
    numbers = [steps.every * number for number in range(1, len(history) + 1)]
    for axes, shown in zip(rows[:, 0], panels, strict=True):
        for name in shown:
            axes.plot(numbers, [step[name] for step in history], marker=".", label=name)
        if steps.best is not None:
            axes.axvline(steps.best, color="0.5", linestyle="--", label=f"best: {steps.best}")
        axes.grid(visible=True, alpha=0.3)
        axes.legend()
    rows[-1, 0].set_xlabel(steps.name)
    rows[-1, 0].xaxis.get_major_locator().set_params(integer=True)
    save(figure, file)
