"""What is wrong with arguments that are the results of other tasks of a DAG in plain dag-factory format."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from factory.base.findings import Finding, KeyPath
from factory.base.texts import did_you_mean, one_of
from factory.team.own_entries import Entry, parent_of

_XCOM = re.compile(r"\+(?P<task>\w*)(\[['\"].*['\"]\])?")
_OUTPUT = re.compile(r"(?P<task>[\w.-]+?)\.output|XcomArg\((?P<also>[\w.-]+)\)")


@dataclass(frozen=True)
class Results:
    """The tasks of a DAG that wait for each other in no circle, and their groups, by their names."""

    tasks: Mapping[str, Entry]
    groups: Mapping[str, Entry]

    def check(self) -> Iterator[Finding]:
        """What is wrong with `+task` and `task.output`; paths start at the DAG."""
        order = self._build_order()
        for task in self.tasks.values():
            before = set(order[: order.index(task.name)]) if task.name in order else set()
            for path, reference in references(task):
                name = self._by_id.get(reference, reference)
                if name not in self.tasks:
                    message = f"there is no task `{name}` in this DAG"
                    advice = did_you_mean(name, self.tasks, f"it has {one_of(self.tasks)}")
                    yield Finding("dependency", path, message, advice)
                elif wrong := self._wrong_result(task, self.tasks[name], reference):
                    yield Finding("dependency", path, *wrong)
                elif name == task.name:
                    message = f"`{name}` waits for itself"
                    yield Finding("cycle", path, message, "name another task")
                elif name not in before:
                    message = f"`{name}` is made after `{task.name}`, which takes its result"
                    advice = f"add `{name}` to the task's `dependencies`"
                    yield Finding("dependency", path, message, advice)

    def _wrong_result(self, task: Entry, other: Entry, reference: str) -> tuple[str, str] | None:
        """What is wrong with the way in which a task names another one's result, and what to write."""
        is_decorated = "decorator" in other.written
        if _hands_on_operators(task) and not is_decorated:
            message = f"`+{other.name}` is the operator itself: decorated tasks alone are named so"
            pulled = f"\"{{{{ ti.xcom_pull(task_ids='{self._id(other)}') }}}}\""
            return message, f"give `{other.name}` a `decorator`, or write {pulled}"
        if "decorator" in task.written:
            return None
        if is_decorated:
            message = (
                f"`{other.name}` is decorated: tasks with `operator` alone are named by `.output`"
            )
            return message, f"give `{task.name}` a `decorator`, and write `+{other.name}`"
        if reference != self._id(other):
            message = f"the result of `{other.name}` is named with its group"
            return message, f"write `{self._id(other)}.output`"
        return None

    @cached_property
    def _by_id(self) -> dict[str, str]:
        """The names of tasks by their ids in Airflow."""
        return {self._id(task): name for name, task in self.tasks.items()}

    def _id(self, task: Entry) -> str:
        """The id of a task in Airflow: after those of the groups around it, unless these say otherwise."""
        found, group = task.name, task.written.get("task_group_name")
        while isinstance(group, str) and group in self.groups:
            if self.groups[group].written.get("prefix_group_id", True) is False:
                break
            found, group = f"{group}.{found}", parent_of(self.groups[group], self.groups)
        return found

    def _build_order(self) -> list[str]:
        """The tasks in the order in which dag-factory makes them."""
        waiting = {
            name: len([one for one in task.dependencies if one in self.tasks])
            for name, task in self.tasks.items()
        }
        after: dict[str, list[str]] = {}
        for name, task in self.tasks.items():
            for one in task.dependencies:
                after.setdefault(one, []).append(name)
        order = [name for name, count in waiting.items() if not count]
        for name in order:  # grows while it is gone through
            for one in after.get(name, ()):
                waiting[one] -= 1
                if not waiting[one]:
                    order.append(one)
        return order


def references(task: Entry) -> Iterator[tuple[KeyPath, str]]:
    """The tasks whose results a task takes as arguments, and where that is written."""
    written = task.written
    is_decorated = "decorator" in written
    for key in ("expand", "partial"):
        arguments = written.get(key)
        for name, value in arguments.items() if isinstance(arguments, dict) else ():
            if isinstance(value, str):
                pattern = _XCOM if is_decorated else _OUTPUT
                if found := pattern.fullmatch(value):
                    yield (
                        (*task.path, key, name),
                        found["task"] or found.groupdict().get("also") or "",
                    )
    if is_decorated:
        for key, value in written.items():
            found = _XCOM.fullmatch(value) if isinstance(value, str) else None
            if found and found["task"][:1].isidentifier():
                yield (*task.path, key), found["task"]


def _hands_on_operators(task: Entry) -> bool:
    """Whether what stands for `+task` is handed on as it is, as by Airflow's own decorators."""
    return str(task.written.get("decorator", "")).startswith("airflow.")
