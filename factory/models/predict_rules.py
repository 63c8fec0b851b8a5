"""What `predict` may ask for, beside the rest of the model."""

from typing import LiteralString

from pydantic_core import PydanticCustomError

from factory.base.rules import Broken
from factory.training.learning_task import LearningTask
from factory.training.model_section import ModelSection


def check_predictions(model: ModelSection) -> Broken:
    """What is asked for in predictions that models of the task, or of such features, cannot say."""
    section, task = model.predict, model.learning_task
    if section is None:
        return
    if section.probabilities != "highest" and not task.has_classes:
        is_of_labels = task.has_several and task.has_categories
        why: LiteralString = "predictions of {task} have the probability of each label anyway"
        yield not_predicted("probabilities", why if is_of_labels else "{task} has no classes", task)
    if section.interval is not None and not task.has_intervals:
        why = "intervals are for regressions, and this is {task}"
        if task.has_several:
            why = "intervals are for regressions of one target, and this is {task}"
        yield not_predicted("interval", why, task)
    if section.explain is None:
        return
    if model.forecast is not None:
        why = "{task} learns from past values, of which each step has others"
        yield not_predicted("explain", why, task)
    if model.image_column is not None:
        why = "this model learns from images alone, and has no features to tell apart"
        yield not_predicted("explain", why, task)


def not_predicted(key: str, why: LiteralString, task: LearningTask) -> PydanticCustomError:
    """That predictions cannot have what a key of `predict` asks for.

    Args:
        key: The key.
        why: The message, in which `{task}` is the model's task.
        task: The model's task.
    """
    context = {"task": task.title, "advice": "take it away", "at": ("predict", key)}
    return PydanticCustomError("together", why, {**context, "on_key": True})
