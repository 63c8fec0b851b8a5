"""Cross-validation: what each fold's model says of the rows that it has not learned from, and how good that is.

A fold's model is not kept. `predict_folds` stores what the models predict, so that a training job needs nothing
but the rows; the metrics are computed where the trial is evaluated.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from factory.base.digests import sha256_of_file
from factory.base.errors import TerminalError
from factory.base.files import whole_file
from factory.base.values import Result
from factory.trainers.trainer import Fitted, Predictions, Trainer
from factory.training.about_rows import About, read_about
from factory.training.fit_arguments import FitArguments
from factory.training.folds import LEARNED, MEASURED, read_folds
from factory.training.metrics import Metric, score
from factory.training.search.strategy import Trial
from factory.training.split import DividedRows, read_part
from factory.training.tasks import TASKS

logger = logging.getLogger(__name__)

_FIELDS = ("values", "probabilities", "classes", "points", "background")
_TARGETS = "targets"
_COLUMN = "column_"
"""Before the names of what else is said of each row."""


class FoldFits(Result):
    """How a trial was trained on each fold's rows, and where the predictions lie."""

    predictions_file: str
    """Below the workspace."""
    sha256: str
    best: tuple[int, ...] = ()
    """The best step of each fold whose training stopped early."""
    step: str = "step"
    """What these steps are, such as `iteration`."""
    warnings: tuple[str, ...] = ()
    """What the library complained about."""


def predict_folds(trial: Trial, split: DividedRows, trainer: Trainer, workspace: Path) -> FoldFits:
    """Train a trial once for each fold, and store what each model says of its fold's rows.

    Raises:
        TerminalError: The estimator refuses its parameters or the rows; says in which fold.
    """
    features, target = read_part(workspace, "train")
    beside = FitArguments.read(workspace, "train")
    looks = trainer.looks_at_validation(trial.estimator, trial.params)
    fits: list[Fitted] = []
    predicted: list[Predictions] = []
    for number, fold in enumerate(read_folds(workspace), start=1):
        learned, measured = np.flatnonzero(fold == LEARNED), np.flatnonzero(fold == MEASURED)
        rows = features.iloc[measured]
        seen = (rows, None if target is None else target[measured]) if looks else None
        try:
            fitted = trainer.fit(
                trial.estimator,
                trial.params,
                features.iloc[learned],
                None if target is None else target[learned],
                split.seed,
                seen,
                **beside.of_rows(learned).named(beside.of_rows(measured) if looks else None),
            )
            ask = partial(trainer.predict, fitted.model)
            task = TASKS[trainer.task]
            predicted.append(task.ask_to_measure(ask, rows, seed=split.seed))
        except TerminalError as error:
            raise TerminalError(f"fold {number}: {error}") from error
        logger.info("Fold %d of %d: trained on %d rows", number, split.folds, len(learned))
        fits.append(Fitted(None, fitted.warnings, steps=fitted.steps))
    file = workspace / "trials" / f"{trial.index}.folds.npz"
    _save(predicted, file)
    return FoldFits(
        predictions_file=str(file.relative_to(workspace)),
        sha256=sha256_of_file(file),
        best=tuple(one.steps.best for one in fits if one.steps.best is not None),
        step=fits[0].steps.name,
        warnings=tuple(dict.fromkeys(text for one in fits for text in one.warnings)),
    )


def _save(predicted: Sequence[Predictions], file: Path) -> None:
    arrays: dict[str, Any] = {
        f"{name}_{at}": _plain(found)
        for at, one in enumerate(predicted)
        for name, found in _arrays(one)
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(file) as unfinished, unfinished.open("wb") as sink:
        np.savez(sink, **arrays)


def _arrays(said: Predictions) -> Iterator[tuple[str, Any]]:
    for name in _FIELDS:
        if (found := getattr(said, name)) is not None:
            yield name, found
    if said.targets:
        yield _TARGETS, np.array(said.targets)
    yield from ((f"{_COLUMN}{name}", values) for name, values in said.columns.items())


def _plain(values: Any) -> NDArray[Any]:
    """Texts as numpy stores them without pickle, and a sparse matrix dense."""
    plain: NDArray[Any] = values.toarray() if sparse.issparse(values) else values
    return plain.astype(str) if plain.dtype == object else plain


def read_predictions(fits: FoldFits, workspace: Path) -> list[Predictions]:
    """What each fold's model says of its rows, in the order of the folds.

    Raises:
        TerminalError: The file is gone, or is not the one that was stored.
    """
    file = workspace / fits.predictions_file
    if not file.exists() or sha256_of_file(file) != fits.sha256:
        raise TerminalError(
            f"{fits.predictions_file} is not what `fit` stored: clear the trial's `fit` task to train it again"
        )
    with np.load(file, allow_pickle=False) as stored:
        found = {name: _as_trained(stored[name]) for name in stored.files}
    count = sum(name.startswith("values_") for name in found)
    return [_of_fold(found, at) for at in range(count)]


def _of_fold(found: Mapping[str, NDArray[Any]], at: int) -> Predictions:
    columns = {
        name.removeprefix(_COLUMN).removesuffix(f"_{at}"): values
        for name, values in found.items()
        if name.startswith(_COLUMN) and name.endswith(f"_{at}")
    }
    values, probabilities, classes, points, background = (
        found.get(f"{name}_{at}") for name in _FIELDS
    )
    assert values is not None  # noqa: S101 - each fold has them
    targets = tuple(found.get(f"{_TARGETS}_{at}", ()))
    return Predictions(values, probabilities, classes, columns, points, background, targets=targets)


def _as_trained(values: NDArray[Any]) -> NDArray[Any]:
    return values.astype(object) if values.dtype.kind == "U" else values


@dataclass(frozen=True)
class FoldScores:
    """The metrics of a trial by its folds."""

    by_fold: Mapping[str, Sequence[float]]
    """One value a fold; of metrics that can be computed for every fold."""
    skipped: dict[str, str]
    """The other metrics, and why."""

    @property
    def means(self) -> dict[str, float]:
        """The mean of each metric."""
        return {name: float(np.mean(values)) for name, values in self.by_fold.items()}

    @property
    def deviations(self) -> dict[str, float]:
        """The standard deviation of each metric over the folds (divided by their number, as scikit-learn has it)."""
        return {name: float(np.std(values)) for name, values in self.by_fold.items()}

    @property
    def by_step(self) -> dict[int, dict[str, float]]:
        """The metrics `fold_…` by the number of the fold, from 1."""
        return {
            at + 1: {f"fold_{name}": values[at] for name, values in self.by_fold.items()}
            for at in range(max(map(len, self.by_fold.values()), default=0))
        }


def score_folds(
    metrics: Iterable[Metric],
    targets: Sequence[NDArray[Any] | None],
    predicted: Sequence[Predictions],
) -> FoldScores:
    """Compute metrics for each fold; one that is undefined for a fold is skipped.

    Args:
        metrics: Which ones.
        targets: The true values of each fold's rows; None where they have none.
        predicted: What each fold's model says of them.
    """
    metrics = tuple(metrics)
    values: dict[str, list[float]] = {metric.name: [] for metric in metrics}
    skipped: dict[str, str] = {}
    for number, (target, predictions) in enumerate(zip(targets, predicted, strict=True), start=1):
        scores = score(metrics, target, predictions)
        for name, value in scores.values.items():
            values[name].append(value)
        for name, why in scores.skipped.items():
            skipped.setdefault(name, f"fold {number}: {why}")
    return FoldScores(
        {name: found for name, found in values.items() if name not in skipped}, skipped
    )


def measured_rows(workspace: Path) -> tuple[list[NDArray[Any] | None], list[About]]:
    """The true values of each fold's rows, None where they have none, and what is known of them beside their features."""
    _, target = read_part(workspace, "train")
    about = read_about(workspace, "train")
    places = [np.flatnonzero(fold == MEASURED) for fold in read_folds(workspace)]
    known: list[About] = [{name: values[rows] for name, values in about.items()} for rows in places]
    return [None if target is None else target[rows] for rows in places], known


def pooled(
    targets: Sequence[NDArray[Any] | None], predicted: Sequence[Predictions]
) -> tuple[NDArray[Any] | None, Predictions]:
    """The rows of all folds together: the true values, and what the models say of them.

    Probabilities are kept where the models of all folds know the same classes. The rows as the estimators get them
    are not: each fold prepares them in its own way.
    """
    classes = predicted[0].classes
    has_all = classes is not None and all(
        one.probabilities is not None
        and one.classes is not None
        and np.array_equal(one.classes, classes)
        for one in predicted
    )
    known = [one for one in targets if one is not None]
    return np.concatenate(known) if known else None, Predictions(
        np.concatenate([one.values for one in predicted]),
        np.concatenate([one.probabilities for one in predicted]) if has_all else None,
        classes if has_all else None,
        {
            name: np.concatenate([one.columns[name] for one in predicted])
            for name in predicted[0].columns
        },
        about={
            name: np.concatenate([one.about[name] for one in predicted])
            for name in predicted[0].about
        },
        targets=predicted[0].targets,
    )
