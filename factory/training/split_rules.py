"""What `split` and its folds must be, beside the task, the search and its estimators."""

from pydantic_core import PydanticCustomError

from factory.base.rules import Broken
from factory.base.section import Surroundings
from factory.trainers.dispatch import trainer_class
from factory.training.division import Split
from factory.training.learning_task import LearningTask
from factory.training.search.strategy import SearchStrategy, written_estimators


def check_method(split: Split, task: LearningTask, *, has_target: bool) -> Broken:
    """Whether rows can be divided by their classes, where they are."""
    has_classes = has_target and task.has_classes
    if split.method == "stratified" and not has_classes:
        yield PydanticCustomError(
            "split",
            "`method: stratified` needs classes: use random, time or group for {task}",
            {
                "task": (task.title if task.has_several else f"a {task.name}")
                if has_target
                else f"{task.title} without `target`",
                "at": ("split", "method"),
            },
        )


def check_choice(split: Split, search: SearchStrategy) -> Broken:
    """Whether a choice other than the best trial has folds to look at, and an order of trials."""
    if search.choose == "best":
        return
    if split.folds is None:
        yield PydanticCustomError(
            "folds",
            "`choose: {choose}` compares what folds have measured, and there are none",
            {
                "choose": search.choose,
                "at": ("search", "choose"),
                "advice": "write `split: {validation: {folds: 5}}`, or take it away",
            },
        )
    elif not search.tries_all:
        yield PydanticCustomError(
            "folds",
            "`choose: {choose}` takes the trial that is written first, and `strategy: {strategy}` has no order",
            {
                "choose": search.choose,
                "strategy": search.strategy,
                "at": ("search", "choose"),
                "advice": "use `strategy: grid` or `strategy: list`, or take it away",
            },
        )


def check_folds(split: Split, search: SearchStrategy, surroundings: Surroundings | None) -> Broken:
    """The estimators that cannot be trained for each fold, where there are folds."""
    if split.folds is None:
        return
    for path, one in written_estimators(search):
        trainer = trainer_class(one.estimator, surroundings)
        if why := trainer.refuses_folds(one.estimator, one.params):
            yield PydanticCustomError(
                "folds",
                "{why}",
                {
                    "why": why,
                    "at": (*path, "estimator"),
                    "advice": "write a fraction, such as `split: {validation: 0.2}`",
                },
            )
