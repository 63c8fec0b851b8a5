"""What a model's datasets, target, features and estimators must be for its task."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic_core import PydanticCustomError

from factory.base.rules import Broken
from factory.base.section import Surroundings
from factory.team.schedule import Inputs
from factory.trainers.dispatch import trainer_class
from factory.trainers.trainer import Trainer
from factory.training.learning_task import LearningTask
from factory.training.model_section import ModelSection
from factory.training.search.strategy import SearchStrategy, written_estimators


def check_datasets(train_on: Inputs, transforms: Sequence[Any]) -> Broken:
    """Whether several datasets are brought together."""
    if len(train_on.datasets) > 1 and not transforms:
        yield PydanticCustomError(
            "transforms",
            "several datasets need a transform that brings them together, such as "
            "{type: sql, query: select * from a.x join b.y using (id)}",
            {"at": ("train_on",)},
        )


def check_positive(model: ModelSection) -> Broken:
    """Whether `positive` may be a class of the target, where it is written."""
    if model.positive is None:
        return
    advice = {"advice": "take it away", "at": ("positive",), "on_key": True}
    if model.learning_task.counted_class(model.positive) is None:
        yield PydanticCustomError(
            "together",
            "`positive` is a class, and a {task} has none",
            {"task": model.task, **advice},
        )
    elif model.target is None:
        yield PydanticCustomError(
            "together",
            "`positive` is one of the target's labels, and there is no `target`",
            advice,
        )


def check_features(features: tuple[str, ...] | None, targets: tuple[str, ...]) -> Broken:
    """Whether no target is one of the features, and no feature is named twice."""
    for index, feature in enumerate(features or ()):
        if features is not None and feature in features[:index]:
            yield PydanticCustomError(
                "features",
                "{feature} is named twice: take one away",
                {"feature": repr(feature), "at": ("features", index)},
            )
        if feature in targets:
            yield PydanticCustomError(
                "features",
                "the target {target} is among the features: take it out",
                {"target": repr(feature), "at": ("features", index)},
            )


def check_trainers(
    task: LearningTask, search: SearchStrategy, surroundings: Surroundings | None
) -> Broken:
    """The estimators whose libraries have none for the task."""
    for path, one in written_estimators(search):
        trainer = trainer_class(one.estimator, surroundings)
        if task.name not in trainer.tasks:
            yield PydanticCustomError(
                "estimator",
                "{title} has no estimators for {task}",
                {
                    "title": trainer.title,
                    "task": task.title,
                    "advice": f"name one such as {task.example_estimator}",
                    "at": (*path, "estimator"),
                },
            )


def check_images(model: ModelSection, trainers: Mapping[str, type[Trainer]]) -> Broken:
    """Whether all estimators of a sweep learn from one column of images, or none does.

    Args:
        model: The section.
        trainers: The trainer of each estimator.
    """
    seeing = [path for path, one in trainers.items() if one.learns_from_images(path)]
    if seeing and len(seeing) < len(trainers):
        others = ", ".join(path for path in trainers if path not in seeing)
        yield PydanticCustomError(
            "search",
            "{seeing} learns from images, and {others} from rows: one sweep cannot try both",
            {
                "seeing": seeing[0],
                "others": others,
                "at": ("search",),
                "advice": "make them two models",
            },
        )
    if seeing and model.features is not None and len(model.features) != 1:
        yield PydanticCustomError(
            "features",
            "{seeing} learns from one column of images, and {count} are named",
            {"seeing": seeing[0], "count": len(model.features), "at": ("features",)},
        )
