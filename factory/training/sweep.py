"""The sweep of a training run: plan its trials, choose the best one, test that one."""

import csv
import io
import json
import logging
import math
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pydantic import Field

from factory.base.answers import answer_here
from factory.base.digests import sha256
from factory.base.errors import TerminalError
from factory.base.files import TEMPORARY, write_json
from factory.base.findings import Question
from factory.base.texts import one_of
from factory.base.values import Result
from factory.base.workspace import WorkspaceGoneError
from factory.lake.snapshot import Snapshot
from factory.models import registry
from factory.models.conformal import IntervalWidths
from factory.models.predictor import load_predictor
from factory.models.tracking import CONFIGURATION, Tracking
from factory.models.training_run import TrainingRun
from factory.team.codes import code_of, is_warning
from factory.trainers.dispatch import sampler_question, step_question, trainer_class
from factory.trainers.trainer import Predictions, Rows, TrainedModel, WrittenEstimator
from factory.training.about_rows import About, read_about
from factory.training.forecasting.metrics import by_step
from factory.training.guard.finding import GuardFinding
from factory.training.guard.known_rows import ARTIFACTS
from factory.training.guard.scores import ScoreGuard, Winner
from factory.training.metrics import score
from factory.training.model import Model
from factory.training.ranking_rules import GROUP
from factory.training.search.strategy import Trial, as_text
from factory.training.split import DividedRows, read_learned, read_part, training_rows_folder
from factory.training.trial import Evaluation, Fit, Sweep, load_fitted, predict_measured

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

_SHOWN = 5
_PLAN = "plan.json"


class PlannedSweep(Result):
    """The trials of a training run, and where they are tracked."""

    sweep: Sweep
    trials: tuple[Trial, ...]
    """Those of all waves so far."""
    ends: tuple[int, ...]
    """How many trials there are after each wave."""

    def save(self, workspace: Path) -> None:
        """Keep it for the tasks that follow, whose arguments name trials by their places."""
        write_json(workspace / _PLAN, self.as_json())

    @classmethod
    def of(cls, workspace: Path) -> "PlannedSweep":
        """What `save` has kept.

        Raises:
            WorkspaceGoneError: It is gone.
        """
        try:
            return cls.from_json(json.loads((workspace / _PLAN).read_text("utf-8")))
        except FileNotFoundError:
            raise WorkspaceGoneError("the plan of the trials", "split", workspace) from None


def plan_trials(
    model: Model,
    split: DividedRows,
    *,
    tracking: Tracking,
    run: TrainingRun,
    snapshots: Sequence[Snapshot],
) -> PlannedSweep:
    """Expand the search, create the model's experiment if it is new, start the parent run.

    A retry finds the parent run of the first try.

    Args:
        model: The model's section of the team file.
        split: How the rows were divided.
        tracking: The MLflow server.
        run: Which training run this is.
        snapshots: The dataset versions that were read; logged as the run's inputs.

    Raises:
        TrackingError: The MLflow server does not answer.
        TerminalError: The experiment was deleted, or more trials than may fail cannot be trained.
    """
    trials = model.expand()
    refuse_wrong(trials, model)
    sweep = start_sweep(trials, model, split, tracking=tracking, run=run, snapshots=snapshots)
    return PlannedSweep(sweep=sweep, trials=trials, ends=(len(trials),))


def plan_wave(
    model: Model,
    plan: PlannedSweep,
    evaluations: Sequence[Evaluation],
    wave: int,
    *,
    tracking: Tracking,
) -> PlannedSweep:
    """Expand a later wave of the search by what the trials before have come to.

    Args:
        model: The model's section of the team file.
        plan: What was planned before; of this wave and later ones by an earlier try.
        evaluations: The trials that were measured; the others have failed.
        wave: Which one, from 2.
        tracking: The MLflow server.

    Returns:
        The plan with the trials of this wave.

    Raises:
        TrackingError: The MLflow server does not answer.
        TerminalError: More trials have failed, or cannot be trained, than may fail.
    """
    before = plan.trials[: plan.ends[wave - 2]]
    places = {trial.index for trial in before}
    measured = [one for one in evaluations if one.fit.trial.index in places]
    refuse_failed(len(before), measured, model)
    scores = {one.fit.trial.index: score_of(one.metrics, model) for one in measured}
    more = model.expand_wave(wave, [(trial, scores.get(trial.index)) for trial in before])
    refuse_wrong(more, model)
    trials = (*before, *more)
    tracking.log(plan.sweep.parent_run_id, metrics={"trials": len(trials)})
    logger.info("Wave %d of %d: %d trials", wave, model.search.wave_count, len(more))
    return PlannedSweep(sweep=plan.sweep, trials=trials, ends=(*plan.ends[: wave - 1], len(trials)))


def score_of(metrics: Mapping[str, float], model: Model) -> float:
    """The objective such that more is better."""
    value = metrics[model.objective.metric]
    return value if model.goal == "maximize" else -value


def start_sweep(
    trials: Sequence[Trial],
    model: Model,
    split: DividedRows,
    *,
    tracking: Tracking,
    run: TrainingRun,
    snapshots: Sequence[Snapshot],
) -> Sweep:
    """Create the model's experiment if it is new, and start the parent run of some trials.

    Args:
        trials: What is to be trained.
        model: As for `plan_trials`, as the arguments that follow.
        split: See there.
        tracking: See there.
        run: See there.
        snapshots: See there.

    Raises:
        TrackingError: The MLflow server does not answer.
        TerminalError: The experiment was deleted.
    """
    experiment_id = tracking.ensure_experiment(run.experiment)
    parent = tracking.start_parent(experiment_id, run, snapshots)
    tracking.log(
        parent,
        tags={
            "task": model.learning_task.name,
            **({"target": ", ".join(model.target_columns)} if model.target is not None else {}),
            "features": ", ".join(split.features),
            "objective": f"{model.goal} {model.objective.metric}",
            "search": f"{model.search.strategy}: {', '.join(model.search.estimators)}",
            "split": f"{split.method}, seed {split.seed}{_of_folds(model)}",
        },
        metrics={
            "trials": len(trials),
            "rows_dropped": split.dropped,
            **{f"rows_{part}": rows for part, rows in split.rows.items()},
        },
    )
    tracking.log_json(parent, model.as_trained(), CONFIGURATION)
    logger.info("%d trials, tracked in MLflow run %s", len(trials), parent)
    return Sweep(experiment_id=experiment_id, parent_run_id=parent)


def _of_folds(model: Model) -> str:
    return "" if model.split.folds is None else f", {model.split.folds.in_words}"


def refuse_wrong(trials: Sequence[Trial], model: Model) -> None:
    """Look at trials as `factory validate` looks at them, before one of them is trained.

    Raises:
        TerminalError: More of them cannot be trained than `search.max_failed_trials` allows, or none can.
    """
    wrong: dict[str, str] = {}
    refused: set[int] = set()
    for trial in trials:
        for question in _questions(trial, model):
            for finding in question.tell(answer_here(question.function, question.argument)):
                said = ": ".join(filter(None, (finding.message, finding.suggestion)))
                if is_warning(code_of(finding.name)):
                    logger.warning("%s: %s", trial.name, said)
                else:
                    wrong.setdefault(said, trial.name)
                    refused.add(trial.index)
    for said, name in wrong.items():
        logger.error("%s: %s", name, said)
    allowed = model.search.max_failed_trials
    if refused and (len(refused) > allowed or len(refused) == len(trials)):
        said, name = next(iter(wrong.items()))
        raise TerminalError(
            f"{len(refused)} of {len(trials)} trials cannot be trained, and `search.max_failed_trials` is "
            f"{allowed}. {name}: {said}"
        )


def _questions(trial: Trial, model: Model) -> Iterator[Question]:
    written = WrittenEstimator(
        trial.estimator, trial.params, model.learning_task.name, is_weighted=model.is_weighted
    )
    yield from trainer_class(trial.estimator).questions(written)
    for step in trial.preprocessing.values():
        yield step_question(step, model.learning_task.name)
    if trial.resample is not None:
        yield sampler_question(trial.resample, model.task, has_spaces=False)


class Selection(Result):
    """The winner of a sweep."""

    winner: Evaluation
    metric: str
    score: float
    trials: int
    """How many were planned."""
    failed: int


def select_best(
    evaluations: Sequence[Evaluation],
    model: Model,
    *,
    planned: int,
    failures: Mapping[str, str] = MappingProxyType({}),
    tracking: Tracking,
    sweep: Sweep,
) -> Selection:
    """Choose the best trial by the objective, and log the ranking to the parent run.

    Args:
        evaluations: The trials that were measured, in any order.
        model: The model's section of the team file.
        planned: How many trials were planned; those that are missing have failed.
        failures: Why some have failed, by their names; of one whose process died nothing is known.
        tracking: The MLflow server.
        sweep: Where the training run is tracked.

    Raises:
        TerminalError: More trials failed than `search.max_failed_trials` allows, or all.
        TrackingError: The MLflow server does not answer.
    """
    failed = refuse_failed(planned, evaluations, model, failures)
    ranking = rank(evaluations, model)
    winner, metric = choose(ranking, model), model.objective.metric
    _log(ranking, winner, model, failed=failed, tracking=tracking, sweep=sweep)
    logger.info(
        "%s of %d trials: %s, %s %.6g",
        "Best" if winner is ranking[0] else "First within one standard error of the best",
        planned,
        winner.fit.trial.name,
        metric,
        winner.metrics[metric],
    )
    return Selection(
        winner=winner,
        metric=metric,
        score=winner.metrics[metric],
        trials=planned,
        failed=failed,
    )


def refuse_failed(
    planned: int,
    evaluations: Sequence[Evaluation],
    model: Model,
    failures: Mapping[str, str] = MappingProxyType({}),
) -> int:
    """How many trials have failed; the arguments are those of `select_best`.

    Raises:
        TerminalError: More than `search.max_failed_trials` allows, or all.
    """
    failed = planned - len(evaluations)
    if failed > model.search.max_failed_trials or not evaluations:
        said = one_of((f"{name}: {error}" for name, error in failures.items()), most=_SHOWN)
        raise TerminalError(
            f"{failed} of {planned} trials failed, and `search.max_failed_trials` is "
            f"{model.search.max_failed_trials}. {said or 'See the logs of the task `trial`'}"
        )
    return failed


def rank(evaluations: Sequence[Evaluation], model: Model) -> list[Evaluation]:
    """Trials from best to worst by the objective.

    Of equal ones the earlier comes first: by habit the simpler sets are written first.
    """
    sign = -1 if model.goal == "maximize" else 1
    metric = model.objective.metric
    return sorted(evaluations, key=lambda one: (sign * one.metrics[metric], one.fit.trial.index))


def choose(ranking: Sequence[Evaluation], model: Model) -> Evaluation:
    """The trial that wins.

    With `one_standard_error` it is the one written first among those whose mean is within one standard error
    of the best one's mean: the standard error of the best one's (Breiman et al., Classification and Regression
    Trees, 1984, section 3.4.3). Repeats do not make it smaller, since they measure on the same rows.

    Args:
        ranking: Trials from best to worst.
        model: The model's section of the team file.
    """
    best, metric, folds = ranking[0], model.objective.metric, model.split.folds
    if model.search.choose == "best" or folds is None:
        return best
    # Divided by the number of values less one, the standard deviation is that of a sample.
    error = best.deviations[metric] / math.sqrt(folds.folds - 1)
    near = [one for one in ranking if abs(one.metrics[metric] - best.metrics[metric]) <= error]
    return min(near, key=lambda one: one.fit.trial.index)


def _log(
    ranking: Sequence[Evaluation],
    winner: Evaluation,
    model: Model,
    *,
    failed: int,
    tracking: Tracking,
    sweep: Sweep,
) -> None:
    # Importing matplotlib takes more than half a second.
    from factory.training.sweep_plots import save_learning_curves, save_sweep

    scores = {f"best_{name}": value for name, value in winner.metrics.items()}
    scores |= {f"best_{name}": value for name, value in _with_std(winner.deviations).items()}
    tracking.log(
        sweep.parent_run_id,
        metrics={**scores, "trials_failed": failed},
        tags={
            "best_trial": winner.fit.trial.name,
            "best_estimator": winner.fit.trial.estimator,
            "best_run": winner.mlflow_run_id,
        },
    )
    with tempfile.TemporaryDirectory(prefix=TEMPORARY) as folder:
        save_sweep(ranking, model, Path(folder) / "sweep.png")
        if winner.fit.history:
            save_learning_curves(
                winner.fit.history, winner.fit.steps, Path(folder) / "learning_curves.png"
            )
        (Path(folder) / "sweep.csv").write_text(_table(ranking), encoding="utf-8")
        tracking.log_files(sweep.parent_run_id, Path(folder), at="sweep")


def _table(ranking: Sequence[Evaluation]) -> str:
    columns = [{**one.metrics, **_with_std(one.deviations)} for one in ranking]
    metrics = sorted({name for one in columns for name in one})
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["rank", "index", "trial", "params", *metrics, "fit_seconds"])
    for place, (one, found) in enumerate(zip(ranking, columns, strict=True), start=1):
        values = [found.get(name, "") for name in metrics]
        trial = one.fit.trial
        params = as_text(trial.all_params)
        writer.writerow([place, trial.index, trial.name, params, *values, one.fit.fit_seconds])
    return text.getvalue()


def _with_std(deviations: Mapping[str, float]) -> dict[str, float]:
    return {f"{name}_std": value for name, value in deviations.items()}


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
