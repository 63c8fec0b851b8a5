"""What a model is, in sentences: from the rows that it learns from to what starts a retraining."""

from collections.abc import Iterator, Mapping
from typing import Any

from factory.base.findings import KeyPath
from factory.base.nested_estimators import flat_params
from factory.base.section import sections_below
from factory.base.texts import one_of, shortened
from factory.catalog.linking import Catalog
from factory.catalog.sentence import Sentence, flow, in_brief, of_after, of_readers
from factory.models.costs import COSTS
from factory.models.fairness import FairnessLimit
from factory.models.promotion import Bounds, Margin, Promotion
from factory.monitoring.sections import Monitor
from factory.team.reader import TeamFile
from factory.trainers.column_steps import ColumnSteps, Step
from factory.training.division import Folds
from factory.training.forecasting.section import Forecast
from factory.training.model import Model
from factory.training.search.distributions import DISTRIBUTIONS
from factory.training.search.spaces import is_space, outermost
from factory.training.search.strategy import Estimator

_WINS = "How the winner is chosen"
_LIVE = "What must hold before it goes live"
_WATCHED = "What is watched"
_AGAIN = "What starts a retraining"
_LONGEST_VALUE = 60


def of_model(catalog: Catalog, file: TeamFile, name: str) -> Iterator[Sentence]:
    """Every sentence about a model."""
    model, path = file.team.models[name], ("models", name)
    if model.description:
        yield Sentence("What it is", model.description, (*path, "description"))
    yield Sentence("What it is", f"a model of {file.team.owner}", ("owner",))
    yield from _of_rows(model, path)
    yield Sentence("When it is trained", model.when.in_words, (*path, *_schedule(model)))
    yield from _of_search(model, (*path, "search"))
    yield from _of_winner(model, path)
    yield from _of_guards(model, (*path, "guard"))
    yield from _of_promotion(model.promotion, (*path, "promotion"))
    yield from _of_use(file, model, name)
    yield from _of_monitor(model.monitor, (*path, "monitor"))
    yield from _of_retraining(model, path)
    yield from of_after(model.after, (*path, "after"))
    yield from of_readers(catalog, f"{file.name}.{name}", (*path, "predict"))


def _schedule(model: Model) -> KeyPath:
    return ("train_on",) if model.schedule is None else ("schedule",)


def _of_rows(model: Model, path: KeyPath) -> Iterator[Sentence]:
    made = "What it is made of"
    joined = " and ".join(model.train_on.datasets)
    yield Sentence(made, f"it learns from {joined}", (*path, "train_on"))
    for index, step in enumerate(model.transforms):
        yield Sentence(made, f"step {index + 1}: {in_brief(step)}", (*path, "transforms", index))
    if model.target is not None:
        verb = "it predicts" if model.learning_task.learns_target else "it is measured by"
        text = f"{verb} {one_of(model.target_columns)}"
        yield Sentence(made, text, (*path, "target"))
    yield Sentence(made, f"the task is {model.task}", (*path, "task"))
    if model.group is not None:
        text = f"rows with the same {model.group} are ranked together"
        yield Sentence(made, text, (*path, "group"))
    if model.positive is not None:
        text = f"the class that counts is {flow(model.positive)}"
        yield Sentence(made, text, (*path, "positive"))
    if model.forecast is None:
        targets = "the targets" if model.targets_together else "the target"
        every = "all columns" if model.target is None else f"all columns but {targets}"
        features = one_of(model.features or ()) or every
        yield Sentence(made, f"features: {features}", (*path, "features"))
    else:
        yield from _of_forecast(model.forecast, (*path, "forecast"))
    for index, entry in enumerate(model.entries):
        text = f"{entry.columns_in_words}: {_done_by(entry, has_spaces=model.has_spaces)}"
        yield Sentence(made, text, (*path, "preprocessing", index))
    if isinstance(model.preprocessing, str):
        text = f"{model.preprocessing} prepares the features"
        yield Sentence(made, text, (*path, "preprocessing"))
    yield from _of_fitting(model, path)
    if (entities := model.entities) is not None:
        text = (
            f"one model for each value of {entities.column} with {entities.min_rows} rows or more"
        )
        yield Sentence(made, text, (*path, "entities", "column"))
        answers = {"all": "a model of all rows answers", "none": "nothing answers"}
        text = f"for other rows {answers[entities.fallback]}"
        yield Sentence(made, text, (*path, "entities", "fallback"))
    for part in ("test", "validation"):
        text = _of_share(part, getattr(model.split, part))
        yield Sentence(made, text, (*path, "split", part))
    by = f" by {one_of(model.split.columns)}" if model.split.columns else ""
    text = f"rows are divided by the method {model.split_method}{by}"
    yield Sentence(made, text, (*path, "split", "method"))


def _of_fitting(model: Model, path: KeyPath) -> Iterator[Sentence]:
    """How rows count, which are added or taken away, and on which scale the target is learned."""
    made = "What it is made of"
    if model.weights is not None:
        text = f"in training, rows count by {model.weights}"
        yield Sentence(made, text, (*path, "weights"))
    if model.class_weight is not None:
        text = "in training, rows count by their class: " + flow(model.class_weight)
        yield Sentence(made, text, (*path, "class_weight"))
    if (sampler := model.resample) is not None:
        name = sampler.sampler.rpartition(".")[2]
        params = _params(sampler.params, has_spaces=model.has_spaces)
        text = f"training rows are resampled: {name}" + (f" ({params})" if params else "")
        yield Sentence(made, text, (*path, "resample"))
    if (transform := model.target_transform) is not None:
        params = _params(transform.params, has_spaces=False)
        name = transform.transformer.rpartition(".")[2]
        text = f"the target is learned on another scale: {name}" + (
            f" ({params})" if params else ""
        )
        yield Sentence(made, text, (*path, "target_transform"))


def _of_forecast(forecast: Forecast, path: KeyPath) -> Iterator[Sentence]:
    made = "What it is made of"
    each = f" of each {' and '.join(forecast.series)}" if forecast.series else ""
    text = f"it forecasts the next {forecast.horizon} values{each}, by {forecast.time}"
    yield Sentence(made, text, (*path, "horizon"))
    yield Sentence(made, f"features: {one_of(forecast.learned, 12)}", (*path, "lags"))


def _done_by(entry: ColumnSteps, *, has_spaces: bool) -> str:
    """What an entry of `preprocessing` does to its columns."""
    if isinstance(entry.steps, str):
        return {"drop": "left out", "passthrough": "as they are"}[entry.steps]
    return ", then ".join(_transformer(step, has_spaces=has_spaces) for step in entry.steps)


def _transformer(step: Step, *, has_spaces: bool) -> str:
    name = step.transformer.rpartition(".")[2]
    params = _params(step.params, has_spaces=has_spaces)
    return f"{name} ({params})" if params else name


def _params(params: Mapping[str, Any], *, has_spaces: bool) -> str:
    """Parameters, each with what is tried for it."""
    flat = flat_params(params)
    return "; ".join(
        f"{key} {_values(value, has_spaces=has_spaces)}" for key, value in flat.items()
    )


def _of_share(part: str, share: float | str | Folds) -> str:
    if isinstance(share, Folds):
        return f"{share.in_words}, of the rows that are not for the test"
    shown = f"{share:.0%} of the rows" if isinstance(share, float) else f"the last {share}"
    return f"{part} rows: {shown}"


def _of_search(model: Model, path: KeyPath) -> Iterator[Sentence]:
    tries, search = "What the sweep tries", model.search
    text = f"{model.most_trials} trials, by the strategy {search.strategy}"
    yield Sentence(tries, text, (*path, "strategy"))
    for at, one in sections_below(search, path):
        if isinstance(one, Estimator):
            ranges = _params(one.params, has_spaces=one.has_spaces)
            name = one.estimator.rpartition(".")[2]
            yield Sentence(tries, f"{name}: {ranges or 'as it is by default'}", at)
    text = f"{search.parallel_trials} trials at the same time"
    yield Sentence(tries, text, (*path, "parallel_trials"))
    if search.max_failed_trials:
        text = f"{search.max_failed_trials} trials may fail"
        yield Sentence(tries, text, (*path, "max_failed_trials"))
    if search.trial_timeout is not None:
        text = f"a trial that takes longer than {search.trial_timeout} seconds is stopped"
        yield Sentence(tries, text, (*path, "trial_timeout"))
    if search.max_minutes is not None:
        text = f"no trial begins after {search.max_minutes} minutes"
        yield Sentence(tries, text, (*path, "max_minutes"))
    if model.backend is not None:
        text = f"trials run as jobs: {in_brief(model.backend)}"
        yield Sentence(tries, text, (*path[:-1], "backend"))


def _values(value: Any, *, has_spaces: bool) -> str:
    """What is tried for a parameter."""
    if not has_spaces:
        return shortened(flow(value), _LONGEST_VALUE)
    if is_space(value):
        ((kind, numbers),) = value.items()
        if kind in DISTRIBUTIONS:
            return f"{DISTRIBUTIONS[kind].in_words(numbers)} ({kind})"
        low, high = outermost(kind, numbers)
        return f"{numbers[2]} values from {low:g} to {high:g} ({kind})"
    tried = value if isinstance(value, list) else [value]
    return shortened(one_of(map(flow, tried)), _LONGEST_VALUE)


def _of_winner(model: Model, path: KeyPath) -> Iterator[Sentence]:
    most = "highest" if model.goal == "maximize" else "lowest"
    text = f"the trial with the {most} {model.objective.metric} {model.measured_on}"
    yield Sentence(_WINS, text, (*path, "objective", "metric"))
    if model.search.choose == "one_standard_error":
        text = "or the one written first of those within one standard error of it"
        yield Sentence(_WINS, text, (*path, "search", "choose"))
    for index, one in enumerate(model.metrics):
        if one.name is not None:
            text = f"{one.name} is {one.in_words}"
            yield Sentence(_WINS, text, (*path, "metrics", index))
    if model.refits:
        text = "it is trained once more, on training and validation rows"
        yield Sentence(_WINS, text, (*path, "refit"))
    text = "it is tested once, on the test rows"
    yield Sentence(_WINS, text, (*path, "split", "test"))


def _of_guards(model: Model, path: KeyPath) -> Iterator[Sentence]:
    """What halts; the guards that nobody has written, in one sentence for each action."""
    by_default: dict[str, list[str]] = {}
    for name in type(model.guard).model_fields:
        guard = getattr(model.guard, name)
        if model.forecast is not None and not getattr(guard, "of_series", True):
            continue
        action = guard.action
        if name in model.guard.model_fields_set:
            yield Sentence(_LIVE, f"the guard {name}: {action}", (*path, name))
        else:
            by_default.setdefault(action, []).append(name)
    if halting := by_default.get("halt"):
        yield Sentence(_LIVE, f"these guards find nothing: {one_of(halting)}", (*path, halting[0]))
    if warning := by_default.get("warn"):
        yield Sentence(_LIVE, f"these only warn: {one_of(warning)}", (*path, warning[0]))


def _of_promotion(promotion: Promotion, path: KeyPath) -> Iterator[Sentence]:
    for metric, bounds in promotion.require.items():
        where = "" if metric in COSTS else " on the test rows"
        text = f"{metric}{where} is {_bounds(bounds)}"
        yield Sentence(_LIVE, text, (*path, "require", metric))
    yield Sentence(_LIVE, _beats(promotion.beat_champion), (*path, "beat_champion"))
    if promotion.confidence is not None:
        text = f"that is so with a confidence of {promotion.confidence:.4g}, by a bootstrap of the test rows"
        yield Sentence(_LIVE, text, (*path, "confidence"))
    if (slices := promotion.slices) is not None:
        text = (
            f"in no slice of the test rows by {one_of(slices.columns)} is it worse than the champion by more "
            f"than {slices.max_loss:g}; slices of fewer than {slices.min_rows} rows are left out"
        )
        yield Sentence(_LIVE, text, (*path, "slices"))
    if (fairness := promotion.fairness) is not None:
        for name, limit in fairness.require.items():
            text = f"{name} by {one_of(fairness.columns)} on the test rows is {_bounds(limit)}"
            yield Sentence(_LIVE, text, (*path, "fairness", "require", name))
    if promotion.dry_run:
        text = "it is only said what would happen: nothing goes live"
        yield Sentence(_LIVE, text, (*path, "dry_run"))
    asked, approval = "Who is asked", promotion.approval
    if approval is None or not approval.required:
        at = ("approval",) if approval is None else ("approval", "required")
        yield Sentence(asked, "nobody", (*path, *at))
        return
    path = (*path, "approval")
    who = one_of(approval.assignees) or "whoever may edit runs of the DAG"
    yield Sentence(asked, who, (*path, "assignees"))
    silence = "the champion stays" if approval.on_timeout == "reject" else "the version goes live"
    hours = approval.response_timeout / 3600
    text = f"where nobody answers within {hours:g} hours, {silence}"
    yield Sentence(asked, text, (*path, "response_timeout"))


def _bounds(bounds: Bounds | FairnessLimit) -> str:
    parts = (("at least", bounds.min), ("at most", bounds.max))
    return " and ".join(f"{word} {value:g}" for word, value in parts if value is not None)


def _beats(wanted: bool | Margin) -> str:  # noqa: FBT001 - as it is written
    if wanted is False:
        return "it need not be better than the champion"
    if isinstance(wanted, Margin):
        by = f"{wanted.relative:.2%} of its score" if wanted.relative else f"{wanted.absolute:g}"
        return f"it beats the champion by at least {by}"
    return "it beats the champion on the same test rows"


def _of_use(file: TeamFile, model: Model, name: str) -> Iterator[Sentence]:
    path: KeyPath = ("models", name)
    where = "Where it is deployed"
    text = "nowhere" if model.deploy is None else in_brief(model.deploy)
    yield Sentence(where, text, (*path, "deploy"))
    if model.predict is not None:
        output = f"{file.name}.{model.predict.output_of(name)}"
        text = f"its predictions about {model.predict.input} are the dataset {output}"
        yield Sentence(where, text, (*path, "predict"))


def _of_monitor(monitor: Monitor | None, path: KeyPath) -> Iterator[Sentence]:
    if monitor is None:
        yield Sentence(_WATCHED, "nothing", path)
        return
    drift = monitor.drift
    columns = one_of(drift.columns or ()) or "all features but points in time"
    yield Sentence(_WATCHED, f"drift of {columns}", (*path, "drift", "columns"))
    for kind in ("numeric", "categorical"):
        method = getattr(drift, kind)
        text = f"{kind} features by {in_brief(method).removeprefix('method: ')}"
        yield Sentence(_WATCHED, text, (*path, "drift", kind))
    if drift.prediction:
        yield Sentence(_WATCHED, "drift of the predictions", (*path, "drift", "prediction"))
    if monitor.truth is not None:
        text = f"the truth comes from {monitor.truth.dataset}"
        yield Sentence(_WATCHED, text, (*path, "truth"))
    for metric, bounds in (monitor.quality or {}).items():
        text = f"{metric} must be {_bounds(bounds)}"
        yield Sentence(_WATCHED, text, (*path, "quality", metric))
    windows = monitor.windows
    text = "each bad window counts"
    if windows.of > 1:
        text = f"it counts when {windows.breach} of the last {windows.of} windows are bad"
    yield Sentence(_WATCHED, text, (*path, "windows"))
    if "notify" in monitor.on_breach:
        yield Sentence(_WATCHED, "then people are told", (*path, "on_breach"))


def _of_retraining(model: Model, path: KeyPath) -> Iterator[Sentence]:
    yield Sentence(_AGAIN, model.when.in_words, (*path, *_schedule(model)))
    if model.monitor is not None and model.monitor.retrains:
        text = "when monitoring finds a drift or a loss of quality"
        yield Sentence(_AGAIN, text, (*path, "monitor", "on_breach"))
    rules, at = model.retrain_when, (*path, "retrain_when")
    if rules is None:
        yield Sentence(_AGAIN, "each such run trains", at)
        return
    conditions = {
        "rows_added": rules.rows_added and f"{rules.rows_added:,} rows were added",
        "days_since": rules.days_since and f"{rules.days_since} days have passed",
        "drift": rules.drift and "drift started the run",
    }
    hold = {key: text for key, text in conditions.items() if text}
    for number, (key, text) in enumerate(hold.items()):
        yield Sentence(_AGAIN, f"{'or' if number else 'only'} if {text}", (*at, key))
