"""What a model may say together about how it is fitted: `weights`, `class_weight`, `resample`, `target_transform`, `refit`."""

from collections.abc import Sequence
from typing import Any, Literal

from pydantic_core import PydanticCustomError

from factory.base.nested_estimators import NestedEstimator
from factory.base.rules import Broken
from factory.base.section import Surroundings, sections_below
from factory.trainers.dispatch import trainer_class
from factory.trainers.fitting import Resample
from factory.training.division import Split
from factory.training.search.strategy import Estimator, SearchStrategy

TRAIN = "train"
Refit = Literal["train", "train+validation"]
"""The rows that the winner of a sweep has learned from when it is tested."""


def with_params(resample: Resample | None, drawn: NestedEstimator | None) -> Resample | None:
    """The sampler with the parameters of a trial in place of what is to be tried."""
    if resample is None or drawn is None:
        return resample
    return resample.model_copy(update={"params": drawn["params"]})


def check_weights(
    weights: str | None, class_weight: object | None, resample: Resample | None, target: str
) -> Broken:
    """What is wrong with weights beside other keys of a model."""
    if weights == target:
        yield _broken(
            "the target {target} cannot be the weight too", "weights", target=repr(target)
        )
    keys = {"weights": weights, "class_weight": class_weight}
    for key in [key for key, value in keys.items() if value is not None and resample is not None]:
        yield _broken(
            "`{key}` excludes `resample`: rows that a sampler has made have no weight",
            "resample",
            key=key,
            advice="keep one of the two",
            on_key=True,
        )


def check_task(
    task: str, *, has_classes: bool, of_classes: Sequence[str], of_numbers: Sequence[str]
) -> Broken:
    """Keys that are for another task.

    Args:
        task: The model's.
        has_classes: Whether it predicts classes.
        of_classes: The keys for classes that are written.
        of_numbers: Those for numbers.
    """
    what = "numbers" if has_classes else "classes"
    for key in of_numbers if has_classes else of_classes:
        yield _broken(
            "`{key}` is for a target of {what}, and this is a {task}",
            key,
            key=key,
            what=what,
            task=task,
            advice="take it away",
            on_key=True,
        )


def check_estimators(
    search: SearchStrategy, keys: Sequence[str], surroundings: Surroundings | None
) -> Broken:
    """Keys that the libraries of estimators do not take.

    Args:
        search: The model's.
        keys: The keys about fitting that are written.
        surroundings: What the file is read against, if it is.
    """
    for key in keys:
        for path in search.estimators:
            trainer = trainer_class(path, surroundings)
            if key not in trainer.takes_fitting:
                yield _broken(
                    "`{key}` is for estimators with scikit-learn's API, and {estimator} is trained by {title}",
                    key,
                    key=key,
                    estimator=path,
                    title=trainer.title,
                    advice="take it away, or make two models of the estimators",
                    on_key=True,
                )
                break


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
    for path, one in sections_below(search, ("search",)):
        if isinstance(one, Estimator):
            trainer = trainer_class(one.estimator, surroundings)
            if why := trainer.refuses_refit(one.estimator, one.params):
                yield PydanticCustomError(
                    "fitting",
                    "{why}",
                    {"why": why, "at": (*path, "estimator"), "advice": "take `refit` away"},
                )


def _broken(message: str, at: str, **context: Any) -> PydanticCustomError:
    return PydanticCustomError("fitting", message, {**context, "at": (at,)})
