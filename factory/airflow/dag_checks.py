"""Whether a DAG in dag-factory's format can be built and stored by Airflow; and if not, which key is to blame.

Answers the questions of `factory.team.dag_questions`, in a process of its own. The DAG is built and
stored as Airflow would do it. Where that fails, each task is built alone: see `factory.airflow.dag_blame`.
"""

import atexit
import logging
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, replace
from functools import cache, cached_property
from typing import Any

from factory.airflow.dag_blame import Attempts, copied, keys_of_dag, keys_of_task, words_of
from factory.airflow.task_arguments import (
    Misfits,
    arguments,
    arguments_of_function,
    arguments_of_operator,
    unused_arguments,
    unused_defaults,
    wrong_rules,
)
from factory.base.answers import Reply
from factory.base.findings import Finding, KeyPath, take_away
from factory.base.texts import did_you_mean, one_of
from factory.team.dag_questions import from_json
from factory.team.own_code import named_code, with_texts_joined
from factory.team.own_entries import Entry, entries
from factory.team.own_results import references

_EMPTY = "airflow.providers.standard.operators.empty.EmptyOperator"
_STAND_IN = {
    "decorator": "airflow.sdk.task",
    "python_callable": "factory.airflow.dag_checks.stand_in",
}


def stand_in() -> None:
    """Stand for the function of a task whose result another task takes."""


def check_dag(argument: Mapping[str, Any]) -> Reply:
    """Say what is wrong with one DAG, as findings whose paths start at the DAG."""
    _prepare_airflow()
    inspection = _Inspection(
        argument["dag_id"],
        argument["owner"],
        from_json(argument["written"]),
        [tuple(path) for path in argument["broken"]],
    )
    try:
        found = list(inspection.findings())
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever code of others raises here
        found = [
            Finding("refused_dag", (), f"the DAG cannot be built: {words_of(error)}", on_key=True)
        ]
    seen: dict[tuple[Any, ...], Finding] = {(one.path, one.message): one for one in found}
    return Reply([asdict(one) for one in seen.values()], tuple(sorted(inspection.files)))


@cache
def _prepare_airflow() -> None:
    """Give Airflow a home that is taken away again, and none of the settings of this machine's."""
    if "airflow" in sys.modules:
        return
    for name in [name for name in os.environ if name.startswith("AIRFLOW")]:
        del os.environ[name]
    home = tempfile.mkdtemp(prefix="factory-airflow-")
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    os.environ.update(
        AIRFLOW_HOME=home,
        AIRFLOW__CORE__LOAD_EXAMPLES="false",
        AIRFLOW__CORE__DAGS_FOLDER=f"{home}/dags",
        AIRFLOW__CORE__PLUGINS_FOLDER=f"{home}/plugins",
        AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=f"sqlite:///{home}/airflow.db",
        AIRFLOW__DAG_FACTORY__ENABLE_TELEMETRY="false",
        AIRFLOW__LOGGING__BASE_LOG_FOLDER=f"{home}/logs",
    )
    logging.disable(logging.CRITICAL)


class _Inspection:
    """One DAG that is looked at."""

    def __init__(
        self, dag_id: str, owner: str, written: dict[str, Any], broken: Iterable[KeyPath]
    ) -> None:
        self.attempts = Attempts(dag_id, owner)
        self.written = written
        self.broken = list(broken)
        self.files: set[str] = set()
        self.objects: dict[str, Any] = {}
        """What dotted paths name, as far as there is something."""

    def findings(self) -> Iterator[Finding]:
        missing = list(self._import_all())
        yield from missing
        found: list[Finding] = []
        if not missing and not self.broken:
            error = self.attempts.failure(self.written)
            if error is None:
                yield from unused_defaults(self.written, self.objects)
                yield from unused_arguments(self._tasks(self.written).values(), self.objects)
                return
            found = list(self._diagnose([]))
            yield from found or [self._somewhere(error)]
            return
        yield from self._diagnose([one.path for one in missing])

    def _tasks(self, written: Mapping[str, Any]) -> dict[str, Entry]:
        return entries(written.get("tasks"), ("tasks",), "task_id")

    # What is named

    def _import_all(self) -> Iterator[Finding]:
        """Paths that lead nowhere, or to an object of another kind."""
        from factory.airflow.operator_signatures import NoObjectError, find_object

        for path, dotted in named_code(with_texts_joined(self.written)):
            try:
                found = self.objects[dotted] = find_object(dotted)
            except NoObjectError as error:
                yield Finding("no_object", path, str(error), error.suggestion)
                continue
            self._remember_file(dotted)
            problem = _of_wrong_kind(path[-1], dotted, found)
            if problem:
                yield Finding("no_object", path, problem, "name another")

    def _remember_file(self, dotted: str) -> None:
        """A module that is no installed package may change without a new version."""
        module = sys.modules.get(dotted.rpartition(".")[0])
        file = getattr(module, "__file__", None)
        if file and "site-packages" not in file:
            self.files.add(file)

    # What is refused

    def _diagnose(self, missing: list[KeyPath]) -> Iterator[Finding]:
        """What is refused, beside what is known to be wrong.

        Args:
            missing: The paths of names that lead nowhere.
        """
        rest = copied(self.written)
        for path in sorted([*self.broken, *map(_made_of, missing)], key=len, reverse=True):
            take_away(rest, path)
        made = list(self._made_objects(rest))
        yield from made
        for finding in made:
            take_away(rest, _made_of(finding.path))
        frame = {key: value for key, value in rest.items() if key not in ("tasks", "task_groups")}
        frame["task_groups"] = _without_dependencies(rest.get("task_groups"))
        found = list(
            self.attempts.blame(lambda written: {**written, "tasks": {}}, frame, keys_of_dag)
        )
        yield from found
        for finding in found:
            take_away(frame, finding.path)
        yield from unused_defaults(self.written, self.objects)
        yield from unused_arguments(self._tasks(self.written).values(), self.objects)
        for task in self._tasks(rest).values():
            if not task.written.keys() & {"operator", "decorator"}:
                continue
            is_whole = not any(
                path[:2] == task.path for path in (*missing, *(m.path for m in made))
            )
            yield from self._diagnose_task(task, rest, frame, is_whole=is_whole)

    def _made_objects(self, value: Any, path: KeyPath = ()) -> Iterator[Finding]:
        """What `__type__` cannot make of its arguments."""
        if isinstance(value, list):
            for index, one in enumerate(value):
                yield from self._made_objects(one, (*path, index))
        elif isinstance(value, dict):
            inner = [
                finding
                for key, one in value.items()
                for finding in self._made_objects(one, (*path, key))
            ]
            yield from inner
            made = self.objects.get(value.get("__type__", ""))
            if made is not None and not inner:
                yield from self._made_object(value, made, path)

    def _made_object(self, value: Mapping[str, Any], made: Any, path: KeyPath) -> Iterator[Finding]:
        from factory.airflow.build import as_objects
        from factory.airflow.operator_signatures import function_parameters

        if value["__type__"] == "builtins.list" and "items" in value:
            return
        takes = function_parameters(made)
        given = [key for key in value if key not in ("__type__", "__args__")]
        unknown = [] if takes.takes_more else [key for key in given if key not in takes.names]
        for key in unknown:
            advice = did_you_mean(key, takes.names, f"it takes {one_of(sorted(takes.names))}")
            message = f"`{value['__type__']}` takes no `{key}`"
            yield Finding("argument", (*path, key), message, advice, on_key=True)
        if not unknown:
            try:
                as_objects(copied(value))
            except Exception as error:  # noqa: BLE001 - code of others
                message = f"`{value['__type__']}` cannot be made: {words_of(error)}"
                yield Finding("argument", path, message, "see what it takes")

    def _diagnose_task(
        self, task: Entry, rest: Mapping[str, Any], frame: Mapping[str, Any], *, is_whole: bool
    ) -> Iterator[Finding]:
        alone = {**frame, "tasks": self._with_stand_ins(task, rest)}
        path = ("tasks", task.name)
        misfits = self._misfits(task, frame)
        found = [one.below(path) for one in (*misfits.findings, *wrong_rules(task.written))]
        for at, meant in misfits.meant.items():
            _rename((*path, *at), meant, alone)
        for finding in found:
            take_away(alone, finding.path)
        if is_whole and not any(finding.path == path for finding in found):
            found += self.attempts.blame(
                lambda written: written,
                alone,
                lambda _: keys_of_task(alone, task),
                [str(finding.path[-1]) for finding in found],
            )
        for finding in found:
            is_of_task = finding.path[:2] == path
            yield replace(finding, path=(*task.path, *finding.path[2:])) if is_of_task else finding

    def _misfits(self, task: Entry, frame: Mapping[str, Any]) -> Misfits:
        # What is known to be wrong in another way is given too.
        given = {key for _, key in arguments(self._tasks(self.written)[task.name].written)}
        if (operator := self.objects.get(task.written.get("operator", ""))) is not None:
            given |= {key for one in _default_args(frame, task) for key in one}
            return arguments_of_operator(task.written, operator, given)
        if (function := self._function_of(task)) is not None:
            return arguments_of_function(task.written, function, given)
        return Misfits((), {})

    def _with_stand_ins(self, task: Entry, rest: Mapping[str, Any]) -> dict[str, Any]:
        """A task alone, after tasks that do nothing in place of those whose results it takes."""
        known = self._tasks(rest)
        # By its name alone, or by the id that it has in a group.
        named = (one.rpartition(".")[2] if one not in known else one for _, one in references(task))
        names = list(dict.fromkeys(name for name in named if name in known))
        others = {name: _stand_in_of(known[name]) for name in names}
        written = {key: value for key, value in task.written.items() if key != "task_id"}
        return {**others, task.name: {**copied(written), "dependencies": names}}

    def _function_of(self, task: Entry) -> Any:
        """The function of a task that Airflow's own `task` decorates."""
        if self.objects.get(task.written.get("decorator", "")) is not self._task_decorator:
            return None
        return self.objects.get(task.written.get("python_callable", ""))

    @cached_property
    def _task_decorator(self) -> Any:
        from airflow.sdk import task

        return task

    def _somewhere(self, error: str) -> Finding:
        """A failure that no task has alone: shown at the task that its words name."""
        for task in self._tasks(self.written).values():
            if re.search(rf"['\".\s`]{re.escape(task.name)}['\"\s`,.:)]", f" {error} "):
                return Finding(
                    "refused_dag", task.path, f"Airflow refuses the DAG: {error}", on_key=True
                )
        return Finding("refused_dag", (), f"Airflow refuses the DAG: {error}", on_key=True)


def _default_args(frame: Mapping[str, Any], task: Entry) -> Iterator[Mapping[str, Any]]:
    """The `default_args` that hold for a task."""
    if isinstance(own := frame.get("default_args"), dict):
        yield own
    groups = entries(frame.get("task_groups"), ("task_groups",), "group_name")
    name = task.written.get("task_group_name")
    while isinstance(name, str) and name in groups:
        group = groups.pop(name).written
        if isinstance(group.get("default_args"), dict):
            yield group["default_args"]
        name = group.get("parent_group_name")


def _stand_in_of(task: Entry) -> dict[str, Any]:
    """A task with the same id that does nothing."""
    group = task.written.get("task_group_name")
    made = dict(_STAND_IN) if "decorator" in task.written else {"operator": _EMPTY}
    return made | ({"task_group_name": group} if group else {})


def _of_wrong_kind(key: Any, dotted: str, found: Any) -> str | None:
    """What is wrong with the object that a key names, if it is of another kind."""
    from airflow.sdk.bases.operator import BaseOperator

    if key == "operator" and not (isinstance(found, type) and issubclass(found, BaseOperator)):
        return f"`{dotted}` is not an operator"
    if not callable(found):
        return f"`{dotted}` cannot be called"
    return None


def _without_dependencies(groups: Any) -> Any:
    changed = copied(groups) or {}
    for group in changed.values() if isinstance(changed, dict) else changed:
        group.pop("dependencies", None)
    return changed


def _made_of(path: KeyPath) -> KeyPath:
    """What cannot be made without the object that is named at a path: a task, or the value of a key."""
    if path[:1] == ("tasks",):
        return path[:2] if path[2:] in _MAKES_TASK else path[:3]
    return path[: 2 if path[0] == "default_args" else 1]


_MAKES_TASK = (("operator",), ("decorator",), ("python_callable",))


def _rename(path: KeyPath, name: str | None, value: Any) -> None:
    """Let what stands at a path have another name, unless that is taken."""
    *above, last = path
    for step in above:
        value = value[step]
    if name is not None and name not in value:
        value[name] = value[last]
