"""The winner of a sweep, measured once on rows that no trial has seen."""

import logging
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from factory.base.digests import sha256
from factory.base.errors import TerminalError
from factory.base.files import TEMPORARY
from factory.base.values import Result
from factory.models import registry
from factory.models.conformal import IntervalWidths
from factory.models.predictor import load_predictor
from factory.models.tracking import Tracking
from factory.models.training_run import TrainingRun
from factory.trainers.trainer import Predictions, Rows, TrainedModel
from factory.training.about_rows import About, read_about
from factory.training.forecasting.metrics import by_step
from factory.training.guard.finding import GuardFinding
from factory.training.guard.known_rows import ARTIFACTS
from factory.training.guard.scores import ScoreGuard, Winner
from factory.training.metrics import score
from factory.training.model import Model
from factory.training.ranking_rules import GROUP
from factory.training.split import read_learned, read_part, training_rows_folder
from factory.training.sweep import Selection
from factory.training.trial import Fit, Sweep, load_fitted, predict_measured

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

_SHOWN = 5
_PLAN = "plan.json"


class FinalTest(Result):
    """The winner's metrics on the test rows."""

    metrics: dict[str, float]
    rows: int
    baseline: dict[str, float] = Field(default_factory=dict)
    """The metrics of a model that looks at no feature, on the same rows."""
    skipped: dict[str, str] = Field(default_factory=dict)
    """Metrics that cannot be computed for these rows, and why."""
    findings: tuple[GuardFinding, ...] = ()
    """What makes the metrics unbelievable."""
    interval: IntervalWidths | None = None
    """How far off predictions are on the rows that the winner was chosen by; None for tasks without intervals."""
    said: str = ""
    """A digest of what it says of the test rows: two models that say the same have the same."""
    measured_at: int | None = None
    """Milliseconds since 1970, as MLflow counts; it has the metrics at this time."""


def final_test(
    selection: Selection,
    model: Model,
    workspace: Path,
    *,
    tracking: Tracking,
    run: TrainingRun,
    sweep: Sweep,
    plots: bool = True,
) -> FinalTest:
    """Measure the winner on the test rows; metrics and plots go to the parent run.

    Args:
        selection: The winner.
        model: The model's section of the team file.
        workspace: The run's scratch folder.
        tracking: The MLflow server.
        run: Which training run this is.
        sweep: Where the training run is tracked.
        plots: Whether plots are drawn, and feature importances computed.

    Raises:
        TrackingError: The MLflow server does not answer.
    """
    task = model.learning_task
    fitted = load_winner(selection, model, workspace, run.model, tracking)
    features, target = read_part(workspace, "test")
    predict = partial(model.trainer(selection.winner.fit.trial.estimator).predict, fitted)
    about = read_about(workspace, "test")
    predictions = task.ask_to_measure(predict, features, seed=model.split.seed).with_about(about)
    scores = score(model.computed_metrics, target, predictions)
    for name, why in scores.skipped.items():
        logger.warning("%s: no test_%s: %s", run.model, name, why)
    dummy = _baseline(model, workspace, target, about)
    interval, coverage = _interval(selection.winner.fit, model, workspace, target, predictions)
    findings = _look(model, predictions, scores.values, dummy)
    for finding in findings:
        logger.warning("%s", finding)
    measured_at = tracking.log(
        sweep.parent_run_id,
        metrics={
            **{f"test_{name}": value for name, value in scores.values.items()},
            **{f"baseline_test_{name}": value for name, value in dummy.items()},
            **{f"test_interval_{level:g}_coverage": share for level, share in coverage.items()},
        },
    )
    steps = by_step(model.computed_metrics, target, predictions, "test_")
    tracking.log_history(sweep.parent_run_id, steps)
    if plots:
        ask = partial(_ask, predict, about)
        _log_plots(model, workspace, (features, target), ask, predictions, tracking, sweep)
    if training_rows_folder(workspace).is_dir():
        tracking.log_files(sweep.parent_run_id, training_rows_folder(workspace), at=ARTIFACTS)
    logger.info("On %d test rows: %s", len(features), scores.values)
    return FinalTest(
        metrics=scores.values,
        rows=len(features),
        baseline=dummy,
        skipped=scores.skipped,
        findings=tuple(findings),
        interval=interval,
        said=digest_of(predictions),
        measured_at=measured_at,
    )


def load_winner(
    selection: Selection, model: Model, workspace: Path, name: str, tracking: Tracking
) -> TrainedModel:
    """The winner's model; its clusters are numbered as those of the version in production, where it has some.

    Args:
        selection: The winner.
        model: The model's section of the team file.
        workspace: The run's scratch folder, with the training rows.
        name: The registered model, `team.model`.
        tracking: The MLflow server.
    """
    trainer = model.trainer(selection.winner.fit.trial.estimator)
    fitted = load_fitted(selection.winner.fit, model, workspace)
    if not model.learning_task.has_numbers:
        return fitted
    champion = registry.champion(name, tracking=tracking)
    if champion is None or champion.record.task != model.task:
        return fitted
    rows, _ = read_part(workspace, "train")
    try:
        before = load_predictor(champion.record, tracking=tracking).predict(rows).values
    except TerminalError as error:
        logger.warning("Clusters are not numbered as in version %d: %s", champion.number, error)
        return fitted
    now = trainer.predict(fitted, rows).values
    trainer.renumber(fitted, model.learning_task.renumbering(before, now))
    return fitted


def _interval(
    fit: Fit,
    model: Model,
    workspace: Path,
    target: "NDArray[Any] | None",
    predictions: Predictions,
) -> tuple[IntervalWidths | None, dict[float, float]]:
    """How wide intervals are by the validation rows, or those of the folds, and what share of the test rows they hold."""
    if not model.learning_task.has_intervals:
        return None, {}
    truth, said = predict_measured(fit, model, workspace)
    assert truth is not None and target is not None  # noqa: S101, PT018 - they are errors against a target
    widths = IntervalWidths.of((truth - said.values).tolist())
    return widths, widths.coverage(target - predictions.values)


def _ask(
    predict: Callable[["pd.DataFrame"], Predictions], about: About, rows: "pd.DataFrame"
) -> Predictions:
    """What a model says about some of the rows, whose index says which they are."""
    places = rows.index.to_numpy()
    known = {name: values[places] for name, values in about.items()}
    return predict(rows).with_about(known)


def digest_of(predictions: Predictions) -> str:
    """The SHA-256 of what is said of each row."""
    return sha256(repr(predictions.values.tolist()))


def _log_plots(
    model: Model,
    workspace: Path,
    rows: Rows,
    predict: Callable[["pd.DataFrame"], Predictions],
    predictions: Predictions,
    tracking: Tracking,
    sweep: Sweep,
) -> None:
    from factory.training.plots import save_plots

    features, target = rows
    with tempfile.TemporaryDirectory(prefix=TEMPORARY) as folder:
        task = model.learning_task
        save_plots(task, model.target_name, target, predictions, Path(folder), part="test")
        if model.image_column is None and target is not None:
            groups = predictions.about.get(GROUP)
            _save_importances(model, predict, features, target, groups, Path(folder))
        tracking.log_files(sweep.parent_run_id, Path(folder), at="test")
    with tempfile.TemporaryDirectory(prefix=TEMPORARY) as folder:
        _save_columns(model, workspace, features, target, Path(folder))
        tracking.log_files(sweep.parent_run_id, Path(folder), at="data")


def _save_columns(
    model: Model,
    workspace: Path,
    features: "pd.DataFrame",
    target: "NDArray[Any] | None",
    folder: Path,
) -> None:
    from factory.training.column_plots import save_columns

    trained_on, trained_target = read_learned(workspace, model)
    parts = {
        "train": _beside_targets(trained_on, trained_target, model),
        "test": _beside_targets(features, target, model),
    }
    columns = [
        name for name in (*model.target_columns, *features.columns) if name != model.image_column
    ]
    save_columns(parts, columns, folder / "columns.png")


def _beside_targets(
    features: "pd.DataFrame", target: "NDArray[Any] | None", model: Model
) -> "pd.DataFrame":
    """Rows with their features and their targets."""
    names = model.target_columns
    if target is None or target.ndim == 1:
        return features.assign(**dict.fromkeys(names, target))
    return features.assign(**{name: target[:, place] for place, name in enumerate(names)})


def _save_importances(
    model: Model,
    predict: Callable[["pd.DataFrame"], Predictions],
    features: "pd.DataFrame",
    target: "NDArray[Any]",
    groups: "NDArray[Any] | None",
    folder: Path,
) -> None:
    if not model.objective_metric.uses_target:
        return  # there is nothing that a feature tells
    from factory.training.importance import as_csv, importances
    from factory.training.plots import save_importances

    metric = model.objective_metric
    found = importances(
        predict,
        features,
        target,
        metric=metric,
        goal=model.goal,
        seed=model.split.seed,
        groups=groups,
    )
    if found:
        save_importances(found, metric.name, folder / "feature_importance.png")
        (folder / "feature_importance.csv").write_text(as_csv(found, metric.name), encoding="utf-8")


def _baseline(
    model: Model, workspace: Path, target: "NDArray[Any] | None", about: About
) -> dict[str, float]:
    """The metrics of a model that looks at no feature; of several, the best in each; none without a target."""
    _, trained_on = read_learned(workspace, model)
    if target is None or trained_on is None:
        return {}
    best: dict[str, float] = {}
    for predictions in model.learning_task.baselines(trained_on, len(target), about):
        scores = score(model.computed_metrics, target, predictions).values
        for metric in model.computed_metrics:
            if metric.name in scores:
                better = max if metric.goal == "maximize" else min
                found = scores[metric.name]
                best[metric.name] = better(best.get(metric.name, found), found)
    return best


def _look(
    model: Model, said: Predictions, scores: Mapping[str, float], dummy: Mapping[str, float]
) -> list[GuardFinding]:
    # Few anomalies, or none, may be among the test rows: the scores tell whether it says the same of all.
    values = said.columns.get("score", said.values)
    winner = Winner(values, model.objective.metric, model.goal, scores, dummy)
    return [finding for guard in ScoreGuard.all_in(model.guard) for finding in guard.look(winner)]
