"""The sweep of a training run: plan its trials, wave after wave, and choose the best one."""

import csv
import io
import json
import logging
import math
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from factory.base.answers import answer_here
from factory.base.errors import TerminalError
from factory.base.files import TEMPORARY, write_json
from factory.base.findings import Question
from factory.base.texts import one_of
from factory.base.values import Result
from factory.base.workspace import WorkspaceGoneError
from factory.lake.snapshot import Snapshot
from factory.models.tracking import CONFIGURATION, Tracking
from factory.models.training_run import TrainingRun
from factory.team.codes import code_of, is_warning
from factory.trainers.dispatch import sampler_question, step_question, trainer_class
from factory.trainers.trainer import WrittenEstimator
from factory.training.model import Model
from factory.training.search.strategy import Trial, as_text
from factory.training.split import DividedRows
from factory.training.trial import Evaluation, Sweep

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
    left_out: int = 0,
    tracking: Tracking,
) -> PlannedSweep:
    """Expand a later wave of the search by what the trials before have come to.

    Args:
        model: The model's section of the team file.
        plan: What was planned before; of this wave and later ones by an earlier try.
        evaluations: The trials that were measured; the others have failed.
        wave: Which one, from 2.
        left_out: How many trials before were not begun, since the time of the sweep was over.
        tracking: The MLflow server.

    Returns:
        The plan with the trials of this wave; there are none when the time is over.

    Raises:
        TrackingError: The MLflow server does not answer.
        TerminalError: More trials have failed, or cannot be trained, than may fail.
    """
    before = plan.trials[: plan.ends[wave - 2]]
    places = {trial.index for trial in before}
    measured = [one for one in evaluations if one.fit.trial.index in places]
    refuse_failed(len(before) - left_out, measured, model)
    scores = {one.fit.trial.index: score_of(one.metrics, model) for one in measured}
    scored = [(trial, scores.get(trial.index)) for trial in before]
    more = () if plan.sweep.is_over else model.expand_wave(wave, scored)
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
    minutes = model.search.max_minutes
    ends_at = None if minutes is None else time.time() + 60 * minutes
    return Sweep(experiment_id=experiment_id, parent_run_id=parent, ends_at=ends_at)


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
    left_out: int = 0
    """How many were not begun, since the time of the sweep was over."""


def select_best(
    evaluations: Sequence[Evaluation],
    model: Model,
    *,
    planned: int,
    left_out: int = 0,
    failures: Mapping[str, str] = MappingProxyType({}),
    tracking: Tracking,
    sweep: Sweep,
    plots: bool = True,
) -> Selection:
    """Choose the best trial by the objective, and log the ranking to the parent run.

    Args:
        evaluations: The trials that were measured, in any order.
        model: The model's section of the team file.
        planned: How many trials were planned; those that are missing have failed.
        left_out: How many of them were not begun, since the time of the sweep was over.
        failures: Why some have failed, by their names; of one whose process died nothing is known.
        tracking: The MLflow server.
        sweep: Where the training run is tracked.
        plots: Whether what the sweep says of hyperparameters is drawn, which takes a second.

    Raises:
        TerminalError: More trials failed than `search.max_failed_trials` allows, or all.
        TrackingError: The MLflow server does not answer.
    """
    failed = refuse_failed(planned - left_out, evaluations, model, failures)
    ranking = rank(evaluations, model)
    winner, metric = choose(ranking, model), model.objective.metric
    missing = {"trials_failed": failed, **({"trials_left_out": left_out} if left_out else {})}
    _log(ranking, winner, model, missing=missing, tracking=tracking, sweep=sweep, plots=plots)
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
        left_out=left_out,
    )


def refuse_failed(
    planned: int,
    evaluations: Sequence[Evaluation],
    model: Model,
    failures: Mapping[str, str] = MappingProxyType({}),
) -> int:
    """How many trials have failed, of those that were begun; the other arguments are those of `select_best`.

    Raises:
        TerminalError: More than `search.max_failed_trials` allows, or all.
    """
    if not planned:
        raise TerminalError(
            "no trial was begun: the time that `search.max_minutes` gives was over. Raise it, and clear the DAG run "
            "from `plan_trials` on"
        )
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
    missing: Mapping[str, float],
    tracking: Tracking,
    sweep: Sweep,
    plots: bool,
) -> None:
    # Importing matplotlib takes more than half a second.
    from factory.training.hyperparameter_plots import save_hyperparameters
    from factory.training.sweep_plots import save_learning_curves, save_sweep

    scores = {f"best_{name}": value for name, value in winner.metrics.items()}
    scores |= {f"best_{name}": value for name, value in _with_std(winner.deviations).items()}
    tracking.log(
        sweep.parent_run_id,
        metrics={**scores, **missing},
        tags={
            "best_trial": winner.fit.trial.name,
            "best_estimator": winner.fit.trial.estimator,
            "best_run": winner.mlflow_run_id,
        },
    )
    with tempfile.TemporaryDirectory(prefix=TEMPORARY) as folder:
        save_sweep(ranking, model, Path(folder) / "sweep.png")
        in_order = sorted(ranking, key=lambda one: one.fit.trial.index)
        if plots:
            save_hyperparameters(in_order, model.objective.metric, model.goal, Path(folder))
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
