"""What a model's section must be for its targets: one column, or a list of them where the task learns several."""

from typing import Any

from pydantic_core import PydanticCustomError

from factory.base.findings import KeyPath
from factory.base.rules import Broken
from factory.base.texts import one_of
from factory.training.learning_task import LearningTask
from factory.training.model_section import ModelSection

_FITTING = {
    "class_weight": "write `class_weight: balanced` among the `params` of an estimator that takes it",
    "resample": "take it away: a sampler looks at the classes of one target",
    "target_transform": "take it away, and change the scale in a transform",
}
"""Keys that are for one target, and what to write instead."""


def check_targets(model: ModelSection) -> Broken:
    """Whether there is a target where the task learns from one, and as many as it learns."""
    task, targets = model.learning_task, model.target_columns
    if model.target is None:
        if task.learns_target:
            yield _none(task)
        return
    if isinstance(model.target, str):
        if task.has_several:
            yield _broken(
                "{title} learns several labels, and `target` names one column",
                ("target",),
                title=task.title,
                advice="write a list of the columns that say of each label yes or no, such as `target: [spam, urgent]`; "
                "for one label write `task: classification`",
            )
        return
    if not task.has_several:
        yield _broken(
            "{title} {has} one target, and `target` is a list",
            ("target",),
            title=task.title,
            has="learns" if task.learns_target else "is measured by",
            advice=_one_instead(task, targets),
        )
    elif len(targets) < 2:
        one = one_of(targets) or "..."
        yield _broken(
            "a list of targets has two or more, and this one has {count}",
            ("target",),
            count=len(targets),
            advice="write the labels, such as `target: [spam, urgent]`; for one label write `task: classification`"
            if task.word == "multilabel"
            else f"write `target: {one}`",
        )
    for index, name in enumerate(targets):
        if name in targets[:index]:
            yield _broken(
                "the target {name} is named twice",
                ("target", index),
                name=repr(name),
                advice="take it away",
            )


def _one_instead(task: LearningTask, targets: tuple[str, ...]) -> str:
    first = targets[0] if targets else "..."
    advice = f"write `target: {first}`, and a model for each of the others"
    if task.has_classes and task.learns_target:
        advice += "; where each says yes or no, write `task: multilabel`"
    return advice


def _none(task: LearningTask) -> PydanticCustomError:
    return PydanticCustomError(
        "together",
        "{task} learns from a `target`, and there is none",
        {
            "task": task.title,
            "advice": "add `target: ...`, the column whose values are predicted; `anomaly` and `clustering` "
            "are the tasks without",
            "at": ("task",),
        },
    )


def check_beside(model: ModelSection) -> Broken:
    """The keys that are for models of one target, beside several."""
    if not model.learning_task.has_several:
        return
    for key, advice in _FITTING.items():
        if getattr(model, key, None) is not None:
            yield _for_one(key, (key,), advice)
    if model.entities is not None:
        advice = "take it away, or make a model of each target"
        yield _for_one("entities", ("entities",), advice)
    if model.predict is not None and model.predict.explain is not None:
        advice = "take it away: features contribute otherwise to each target"
        yield _for_one("explain", ("predict", "explain"), advice)
    truth = model.monitor.truth if model.monitor is not None else None
    if truth is not None and truth.column is not None:
        advice = "take it away: the truth of each target is the column of its name"
        yield _for_one("column", ("monitor", "truth", "column"), advice)
    test = model.deploy.smoke_test if model.deploy is not None else None
    if test is not None and test.expect is not None:
        advice = "take it away: that each row has an answer for each target is looked at anyway"
        yield _for_one("expect", ("deploy", "smoke_test", "expect"), advice)


def _for_one(key: str, at: KeyPath, advice: str) -> PydanticCustomError:
    return _broken(
        "`{key}` is for models of one target, and this one has several",
        at,
        key=key,
        advice=advice,
        on_key=True,
    )


def _broken(message: Any, at: KeyPath, **context: Any) -> PydanticCustomError:
    return PydanticCustomError("together", message, {**context, "at": at})
