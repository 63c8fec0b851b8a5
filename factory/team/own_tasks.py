"""What is wrong with the tasks and groups of a DAG in plain dag-factory format: names, and who waits for whom."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from typing import Any

from factory.base.findings import Finding, KeyPath
from factory.base.texts import closest, did_you_mean, one_of
from factory.team.own_entries import Entry, entries, parent_of
from factory.team.own_keys import GROUP_KEYS
from factory.team.own_results import Results

_TASK_NAME = re.compile(r"[\w.-]{1,250}")
_GROUP_NAME = re.compile(r"[\w-]{1,200}")
_MOST_WAITS = 20_000
"""A DAG in which more tasks wait for each other is not searched for circles here."""


def check_tasks(dag: Mapping[str, Any]) -> Iterator[Finding]:
    """What is wrong with `tasks` and `task_groups` of a DAG; paths start at the DAG."""
    yield from _Dag(dag).check()


@dataclass(frozen=True)
class _Dag:
    written: Mapping[str, Any]
    waits: dict[str, dict[str, KeyPath]] = field(default_factory=dict)
    """By task, the tasks that it waits for, and where that is written."""

    @cached_property
    def tasks(self) -> dict[str, Entry]:
        return entries(self.written.get("tasks"), ("tasks",), "task_id")

    @cached_property
    def groups(self) -> dict[str, Entry]:
        return entries(self.written.get("task_groups"), ("task_groups",), "group_name")

    def check(self) -> Iterator[Finding]:
        yield from self._check_section("tasks", "task_id", _TASK_NAME)
        yield from self._check_section("task_groups", "group_name", _GROUP_NAME)
        for task in self.tasks.values():
            yield from self._check_task(task)
            yield from self._check_dependencies(task)
            yield from self._check_group_name(task, "task_group_name")
        for group in self.groups.values():
            yield from self._check_group(group)
            yield from self._check_dependencies(group)
            yield from self._check_group_name(group, "parent_group_name")
        nesting = list(self._check_nesting())
        yield from nesting
        if not nesting:
            circles = list(self._check_circles())
            yield from circles
            if not circles:
                yield from Results(self.tasks, self.groups).check()

    def _check_section(
        self, key: str, name_key: str, pattern: re.Pattern[str]
    ) -> Iterator[Finding]:
        section = self.written.get(key)
        if section in (None, {}, []):
            return
        if isinstance(section, dict):
            for name, value in section.items():
                yield from self._check_name(name, (key, name), pattern, on_key=True)
                if not isinstance(value, dict):
                    advice = (
                        "write `operator:` below it"
                        if key == "tasks"
                        else "write {} if it has nothing"
                    )
                    message = f"`{name}` must be a mapping"
                    yield Finding("wrong_type", (key, name), message, advice)
        elif isinstance(section, list):
            yield from self._check_list(section, key, name_key, pattern)
        else:
            message = f"`{key}` must be a mapping or a list"
            yield Finding(
                "wrong_type", (key,), message, "write the name of each, and below it what it is"
            )

    def _check_list(
        self, section: list[Any], key: str, name_key: str, pattern: re.Pattern[str]
    ) -> Iterator[Finding]:
        seen: set[str] = set()
        for index, item in enumerate(section):
            at = (key, index)
            if not isinstance(item, dict):
                message = f"each item of the list `{key}` is a mapping that has `{name_key}`"
                yield Finding("wrong_type", at, message)
            elif name_key not in item:
                near = closest(
                    name_key, [one for one in item if one not in ("operator", "decorator")]
                )
                advice = f"write `{name_key}` for `{near}`" if near else f"add `{name_key}: name`"
                yield Finding("missing_key", at, f"`{name_key}` is missing", advice)
            else:
                name = item[name_key]
                yield from self._check_name(name, (*at, name_key), pattern)
                if isinstance(name, str) and name in seen:
                    message = f"there is another {_noun(key)} `{name}`"
                    yield Finding("name", (*at, name_key), message, "give each a name of its own")
                if isinstance(name, str):
                    seen.add(name)

    def _check_name(
        self, name: object, path: KeyPath, pattern: re.Pattern[str], *, on_key: bool = False
    ) -> Iterator[Finding]:
        noun = _noun(path[0])
        if not isinstance(name, str):
            message = f"the name of a {noun} must be text, not {name!r}"
            yield Finding("name", path, message, f'write "{name}"', on_key=on_key)
        elif not pattern.fullmatch(name):
            points = ", points" if pattern is _TASK_NAME else ""
            message = f"{name!r} is not the name of a {noun}: it has letters, digits, dashes{points} and underscores only"
            fitting = re.sub(r"[^\w.-]+" if points else r"[^\w-]+", "_", name).strip("_")
            advice = f"write `{fitting}`" if pattern.fullmatch(fitting) else "write a shorter one"
            yield Finding("name", path, message, advice, on_key=on_key)
        elif path[0] == "tasks" and name in self.groups:
            task = self.tasks.get(name)
            if task is not None and not task.written.get("task_group_name"):
                message = f"a task group is named `{name}` too"
                yield Finding("name", path, message, "give each a name of its own", on_key=on_key)

    def _check_task(self, task: Entry) -> Iterator[Finding]:
        written, path = task.written, task.path
        kinds = [key for key in ("operator", "decorator") if key in written]
        if not kinds:
            near = [(key, closest(key, ["operator", "decorator"])) for key in written]
            meant = next(((key, one) for key, one in near if one), None)
            if meant:
                message = f"a task has no key `{meant[0]}`, and needs `operator` or `decorator`"
                at = (*path, meant[0])
                yield Finding(
                    "unknown_key", at, message, f"did you mean `{meant[1]}`?", on_key=True
                )
            else:
                message = f"the task `{task.name}` needs `operator` or `decorator`"
                advice = "write `operator: package.module.Operator`"
                yield Finding("missing_key", path, message, advice)
        elif len(kinds) > 1:
            message = "`operator` and `decorator` exclude each other"
            yield Finding(
                "unknown_key", (*path, "decorator"), message, "keep one of them", on_key=True
            )
        for kind in kinds:
            if not isinstance(written[kind], str):
                message = f"`{kind}` must be the dotted path of one"
                yield Finding("wrong_type", (*path, kind), message, "write `package.module.name`")
        if "parent_group_name" in written:
            message = "a task has no key `parent_group_name`"
            at = (*path, "parent_group_name")
            yield Finding(
                "unknown_key", at, message, "did you mean `task_group_name`?", on_key=True
            )
        yield from self._check_lists(task)
        yield from self._check_mapping_over(task)

    def _check_lists(self, task: Entry) -> Iterator[Finding]:
        for key in ("inlets", "outlets"):
            value = task.written.get(key)
            is_made = isinstance(value, dict) and "__type__" in value
            if value is not None and not isinstance(value, list) and not is_made:
                message = f"`{key}` must be a list of assets"
                advice = f"write [{value}]" if isinstance(value, str) else "write [address, …]"
                yield Finding("wrong_type", (*task.path, key), message, advice)
        variables = task.written.get("variables_as_arguments")
        if variables is None:
            return
        for index, one in enumerate(variables if isinstance(variables, list) else [variables]):
            if not isinstance(one, dict) or not {"variable", "attribute"} <= set(one):
                at = (*task.path, "variables_as_arguments", index)
                message = (
                    "`variables_as_arguments` is a list of mappings with `variable` and `attribute`"
                )
                yield Finding("wrong_type", at, message)

    def _check_mapping_over(self, task: Entry) -> Iterator[Finding]:
        """`expand` and `partial`."""
        for key in ("expand", "partial"):
            value = task.written.get(key)
            if value is not None and (not isinstance(value, dict) or not value):
                message = f"`{key}` must be a mapping of arguments"
                yield Finding("wrong_type", (*task.path, key), message, "write `argument: values`")
        if task.written.get("partial") and not task.written.get("expand"):
            message = "`partial` is for tasks with `expand`"
            advice = "add `expand`, or write the arguments at the task itself"
            yield Finding("missing_key", (*task.path, "partial"), message, advice, on_key=True)

    def _check_group(self, group: Entry) -> Iterator[Finding]:
        for key in group.written:
            is_name = key == "group_name" and isinstance(group.path[-1], int)
            if key not in GROUP_KEYS and not is_name:
                known = [*GROUP_KEYS, "group_name"]
                advice = did_you_mean(key, known, f"it has {one_of(GROUP_KEYS)}")
                if key in ("tasks", "task_group_name"):
                    advice = "a task says of which group it is: `task_group_name: name`"
                message = f"a task group has no key `{key}`"
                yield Finding("unknown_key", (*group.path, key), message, advice, on_key=True)
            elif key in GROUP_KEYS:
                yield from GROUP_KEYS[key].form.check(group.written[key], (*group.path, key))

    def _check_dependencies(self, entry: Entry) -> Iterator[Finding]:
        value = entry.written.get("dependencies")
        at = (*entry.path, "dependencies")
        if value is not None and not isinstance(value, list):
            advice = f"write [{value}]" if isinstance(value, str) else "write [task, …]"
            yield Finding("wrong_type", at, "`dependencies` must be a list of tasks", advice)
            return
        known = {**self.tasks, **self.groups}
        for index, name in enumerate(value or ()):
            if not isinstance(name, str):
                message = f"a dependency is the name of a task or group, not {name!r}"
                yield Finding("dependency", (*at, index), message, "write its name")
            elif name not in known:
                yield Finding(
                    "dependency",
                    (*at, index),
                    f"there is no task or group `{name}` in this DAG",
                    self._instead_of(name, known),
                )

    def _instead_of(self, name: str, known: Mapping[str, Any]) -> str:
        group, _, task = name.rpartition(".")
        if group and task in self.tasks:
            return f"write `{task}`: a task is named without its group"
        return str(did_you_mean(name, known, f"it has {one_of(known)}"))

    def _check_group_name(self, entry: Entry, key: str) -> Iterator[Finding]:
        name = entry.written.get(key)
        if name is None or (isinstance(name, str) and name in self.groups):
            return
        message = f"there is no task group {f'`{name}`' if isinstance(name, str) else repr(name)} in this DAG"
        otherwise = (
            f"it has {one_of(self.groups)}"
            if self.groups
            else f"add `{name}` to `task_groups`, or leave it out"
        )
        advice = did_you_mean(str(name), self.groups, otherwise)
        yield Finding("dependency", (*entry.path, key), message, advice)

    def _check_nesting(self) -> Iterator[Finding]:
        """Groups that lie within themselves."""
        for name, group in self.groups.items():
            seen, at = [name], parent_of(group, self.groups)
            while at is not None and at not in seen:
                seen.append(at)
                at = parent_of(self.groups[at], self.groups)
            if at == name:
                message = f"the group lies within itself: {' in '.join([*seen, name])}"
                path = (*group.path, "parent_group_name")
                yield Finding("cycle", path, message, "take one of them out")
                return

    def _members(self, name: str) -> list[str]:
        """A task itself, or all tasks within a group."""
        if name in self.tasks:
            return [name]
        return self._by_group.get(name, [])

    @cached_property
    def _by_group(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for name, task in self.tasks.items():
            group = task.written.get("task_group_name")
            while isinstance(group, str) and group in self.groups:
                found.setdefault(group, []).append(name)
                group = parent_of(self.groups[group], self.groups)
        return found

    def _check_circles(self) -> Iterator[Finding]:
        count = 0
        for entry in (*self.tasks.values(), *self.groups.values()):
            for index, name in entry.numbered_dependencies:
                if name not in self.tasks and name not in self.groups:
                    continue
                for task in self._members(entry.name):
                    for upstream in self._members(name):
                        at = (*entry.path, "dependencies", index)
                        self.waits.setdefault(task, {}).setdefault(upstream, at)
                        count += 1
                if count > _MOST_WAITS:
                    return
        try:
            TopologicalSorter(self.waits).prepare()
        except CycleError as error:
            circle: list[str] = error.args[1]
            # Each waits for the one before it: told from the last to the first.
            steps = list(reversed(circle))
            message = (
                f"`{steps[0]}` waits for itself"
                if len(steps) == 2
                else "tasks wait for each other: "
                + ", ".join(f"`{task}` for `{upstream}`" for task, upstream in pairwise(steps))
            )
            at = self.waits[steps[-2]][steps[-1]]
            yield Finding("cycle", at, message, "take one of the dependencies out")


def _noun(section: object) -> str:
    return "task" if section == "tasks" else "task group"
