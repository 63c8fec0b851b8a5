"""What a model's section must be for `task: ranking`: rows that are ranked within groups, such as what is shown for one query."""

from collections.abc import Mapping
from typing import Any

from pydantic_core import PydanticCustomError

from factory.base.findings import KeyPath
from factory.base.rules import Broken
from factory.training.division import Split

TASK = "ranking"
GROUP = "group"
"""What is known of each row beside its features: the number of its group."""


def divided_by_group(model: object) -> object:
    """A model's section as it is written, its rows divided by their groups, whose column is not written twice."""
    if not isinstance(model, Mapping) or model.get("task") != TASK:
        return model
    group, split = model.get("group"), model.get("split", {})
    is_open = isinstance(split, Mapping) and split.get("method", "group") == "group"
    if not isinstance(group, str) or not is_open:
        return model
    return {**model, "split": {"method": "group", "column": group, **split}}


def check_task(task: str, group: str | None) -> Broken:
    """Whether the column is there where the task needs it, and nowhere else."""
    if task == TASK and group is None:
        yield PydanticCustomError(
            "together",
            "`task: ranking` needs `group`: the column whose equal values are ranked together",
            {"at": ("task",), "advice": "add it, such as `group: query`"},
        )
    if task != TASK and group is not None:
        yield PydanticCustomError(
            "together",
            "`group` belongs to `task: ranking`",
            {
                "at": ("group",),
                "on_key": True,
                "advice": f"take it away, or write `task: {TASK}`; rows that must stay in one part are named by "
                "`split: {method: group, column: ...}`",
            },
        )


def check_column(group: str, target: str | None, features: tuple[str, ...] | None) -> Broken:
    """Whether the column of groups is none that is learned from, or learned."""
    if group == target:
        yield _group("the target {group} cannot be the group too", ("group",), group)
    for index, feature in enumerate(features or ()):
        if feature == group:
            why = "{group} says what is ranked together, and nothing is learned from it"
            yield _group(why, ("features", index), group)


def check_split(group: str, split: Split) -> Broken:
    """Whether the rows of a group stay in one part."""
    if split.method in ("random", "stratified"):
        yield _split(
            "a ranking is divided by groups, whose rows stay together", ("split", "method")
        )
    elif split.method == "group" and split.column != group:
        yield _split(f"a ranking is divided by its groups, {group!r}", ("split", "column"))
    elif split.method == "hash" and split.key != (group,):
        yield PydanticCustomError(
            "split",
            "with `method: hash` the group decides on the part, so that its rows stay together",
            {"at": ("split", "method"), "advice": f"write `key: [{group}]`"},
        )


def _split(message: str, at: KeyPath) -> PydanticCustomError:
    context = {"message": message, "at": at, "on_key": True, "advice": "take it away"}
    return PydanticCustomError("split", "{message}", context)


def _group(message: Any, at: KeyPath, group: str) -> PydanticCustomError:
    context = {"group": repr(group), "at": at, "advice": "take it away, or name another column"}
    return PydanticCustomError("features", message, context)
