"""What a model may say together about how it is fitted: `weights`, `class_weight`, `resample`, `target_transform`, `refit`."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic_core import PydanticCustomError

from factory.base.nested_estimators import NestedEstimator
from factory.base.rules import Broken
from factory.base.section import Surroundings
from factory.trainers.dispatch import trainer_class
from factory.trainers.fitting import Resample
from factory.training.division import Split
from factory.training.learning_task import LearningTask
from factory.training.search.strategy import SearchStrategy, written_estimators

_OF_CLASSES, _OF_NUMBERS = ("class_weight", "resample"), ("target_transform",)
FITTING = ("weights", *_OF_CLASSES, *_OF_NUMBERS)
"""The keys that say how an estimator is fitted."""
TRAIN = "train"
Refit = Literal["train", "train+validation"]
"""The rows that the winner of a sweep has learned from when it is tested."""


def with_params(resample: Resample | None, drawn: NestedEstimator | None) -> Resample | None:
    """The sampler with the parameters of a trial in place of what is to be tried."""
    if resample is None or drawn is None:
        return resample
    return resample.model_copy(update={"params": drawn["params"]})


def check_together(written: Mapping[str, Any], targets: tuple[str, ...]) -> Broken:
    """What is wrong with keys beside each other.

    Args:
        written: Those of `FITTING` that are written, with their values.
        targets: The model's.
    """
    if (weights := written.get("weights")) in targets:
        yield _broken(
            "the target {target} cannot be the weight too", "weights", target=repr(weights)
        )
    for key in ("weights", "class_weight"):
        if key in written and "resample" in written:
            yield _broken(
                "`{key}` excludes `resample`: rows that a sampler has made have no weight",
                "resample",
                key=key,
                advice="keep one of the two",
                on_key=True,
            )


def check_task(written: Mapping[str, Any], task: LearningTask) -> Broken:
    """Keys that are for another task.

    Args:
        written: As for `check_together`.
        task: The model's.
    """
    misplaced: tuple[str, ...] = _OF_NUMBERS if task.has_classes else _OF_CLASSES
    what = "numbers" if task.has_classes else "classes"
    if task.has_several:
        return  # see `factory.training.several_targets.rules`
    if not task.learns_target:
        misplaced, what = FITTING, "classes or numbers that is learned"
    elif task.step_column is not None:
        misplaced, what = FITTING, "rows, and not of series"
    elif task.has_groups:
        misplaced, what = FITTING, "rows, and not of groups of them"
    for key in misplaced:
        if key in written:
            yield _broken(
                "`{key}` is for a target of {what}, and this is {task}",
                key,
                key=key,
                what=what,
                task=task.title,
                advice="take it away",
                on_key=True,
            )


def check_estimators(
    written: Mapping[str, Any], search: SearchStrategy, surroundings: Surroundings | None
) -> Broken:
    """Keys that the libraries of estimators do not take.

    Args:
        written: As for `check_together`.
        search: The model's.
        surroundings: What the file is read against, if it is.
    """
    trainers = {path: trainer_class(path, surroundings) for path in search.estimators}
    for key in written:
        others = [path for path, one in trainers.items() if key not in one.takes_fitting]
        if others:
            yield _broken(
                "`{key}` is for estimators with scikit-learn's API, and {estimator} is trained by {title}",
                key,
                key=key,
                estimator=others[0],
                title=trainers[others[0]].title,
                advice="take it away, or make two models of the estimators",
                on_key=True,
            )


def check_refit(
    split: Split, search: SearchStrategy, surroundings: Surroundings | None, *, backend: Any
) -> Broken:
    """Why the winner cannot be trained once more on training and validation rows."""
    if split.folds is not None:
        yield _broken(
            "with folds the winner has learned from all rows but those of the test anyway",
            "refit",
            advice="take it away, or write a fraction, such as `split: {validation: 0.2}`",
        )
    if backend is not None:
        yield _broken(
            "`refit` trains in a task of its own, and `backend` has trials trained as jobs",
            "refit",
            advice="take one of the two away",
        )
    for path, one in written_estimators(search):
        trainer = trainer_class(one.estimator, surroundings)
        if why := trainer.refuses_refit(one.estimator, one.params):
            yield PydanticCustomError(
                "fitting",
                "{why}",
                {"why": why, "at": (*path, "estimator"), "advice": "take `refit` away"},
            )


def _broken(message: str, at: str, **context: Any) -> PydanticCustomError:
    return PydanticCustomError("fitting", message, {**context, "at": (at,)})
