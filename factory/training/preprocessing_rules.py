"""What `preprocessing` must be beside the features, the estimators and the search, and what it has to be tried."""

from collections.abc import Collection, Iterator
from typing import Any

from pydantic_core import PydanticCustomError

from factory.base.findings import KeyPath
from factory.base.rules import Broken
from factory.trainers.column_steps import Entries, check_columns
from factory.trainers.native_categories import check_categories, named_categories
from factory.trainers.nested_rules import at_place
from factory.trainers.step_names import named_steps
from factory.trainers.trainer import Trainer
from factory.training.model_section import ModelSection
from factory.training.search.candidate import check_spaces, count_values, places
from factory.training.search.grid import check_countable
from factory.training.search.spaces import is_distribution
from factory.training.search.strategy import written_estimators


def has_choices(entries: Entries) -> bool:
    """Whether trials may prepare rows differently."""
    steps = (step for _, step in named_steps(entries).values())
    values = (value for step in steps for _, value in places(step.params))
    return any(is_distribution(value) or count_values(value) != 1 for value in values)


def check_named(model: ModelSection) -> Broken:
    """The columns that `preprocessing`, or an estimator as its categories, names and that are no features."""
    others = {**model.parts_beside_features, **dict.fromkeys(model.target_columns, "the target")}
    for error in check_columns(model.entries, model.named_features, others):
        yield at_place(error, ("preprocessing",))
    yield from check_categories(categories_of(model), model.named_features, others)


def categories_of(model: ModelSection) -> Iterator[tuple[KeyPath, str]]:
    """The columns that estimators name as their categories, each with its place in the model."""
    for path, one in written_estimators(model.search):
        for at, name in named_categories(one.params, has_spaces=one.has_spaces):
            yield (*path, "params", *at), name


def check_needed(trainers: Collection[type[Trainer]]) -> Broken:
    """Whether one of the estimators takes `preprocessing`, which is written."""
    if any(one.takes_preprocessing for one in trainers):
        return
    titles = dict.fromkeys(one.title for one in trainers)
    yield PydanticCustomError(
        "preprocessing",
        "`preprocessing` is for estimators with scikit-learn's API, and there is none here: "
        "{titles} prepares its rows itself; take it away",
        {"titles": " and ".join(titles), "at": ("preprocessing",)},
    )


def check_tried(model: ModelSection) -> Broken:
    """What transformers and the sampler have to be tried that the search cannot try, or too many trials of it."""
    errors = _untriable(model)
    yield from errors
    limit = model.search.max_trials
    # Nothing can be counted that is no range.
    if errors or not model.search.most_trials <= limit < model.most_trials:
        return
    keys = [key for key in ("preprocessing", "resample") if getattr(model, key) is not None]
    yield PydanticCustomError(
        "max_trials",
        "`search` and what {keys} to be tried make {trials} trials, more than "
        "`max_trials` ({limit}): raise `search.max_trials`, shorten the lists, or use `strategy: random`",
        {
            "keys": f"`{keys[0]}` has" if len(keys) == 1 else "`preprocessing` and `resample` have",
            "trials": model.most_trials,
            "limit": limit,
            "at": (keys[0],),
        },
    )


def _untriable(model: ModelSection) -> list[PydanticCustomError]:
    steps: dict[KeyPath, dict[str, Any]] = {}
    if model.resample is not None:
        steps["resample",] = model.resample.params
    for place, step in named_steps(model.entries).values():
        steps["preprocessing", *place] = step.params
    errors = []
    for at, params in steps.items() if model.has_spaces else ():
        values = list(places(params))
        countable = check_countable(values) if model.search.tries_all else ()
        errors += [at_place(error, at) for error in (*check_spaces(values), *countable)]
    return errors
