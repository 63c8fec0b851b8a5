"""Which key of a DAG Airflow refuses: the one without which it can be built and stored, or fails otherwise."""

import copy
import json
import os
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from factory.airflow.task_arguments import (
    OF_DAG_FACTORY,
)
from factory.base.findings import Finding, KeyPath, take_away
from factory.documents.dag import OwnDag
from factory.team.own_entries import Entry, entries

_NEVER_BLAMED = (OF_DAG_FACTORY - {"expand", "partial", "variables_as_arguments"}) | {
    "python_callable"
}
_MOST_BLAMED = 10
"""Keys of one task, or of one DAG, that are looked for."""


class Attempts:
    """Tries to build and store a DAG, with more of it or less."""

    def __init__(self, dag_id: str, owner: str) -> None:
        self.dag_id = dag_id
        self.owner = owner

    def failure(self, written: Mapping[str, Any]) -> str | None:
        """What keeps a DAG from being built and stored; None where nothing does."""
        from airflow.serialization.serialized_objects import DagSerialization

        from factory.airflow.build import build

        with _variables(written):
            try:
                document = OwnDag(
                    copied(written), self.dag_id.partition(".")[0], self.owner, ()
                ).as_data()
                dag = build(self.dag_id, document)
                dag.validate()
                dag.check_cycle()
                # As it is stored, and read by the scheduler.
                DagSerialization.from_dict(json.loads(json.dumps(DagSerialization.to_dict(dag))))
            except (Exception, SystemExit) as error:  # noqa: BLE001 - code of others
                return words_of(error)
        return None

    def blame(
        self,
        complete: Callable[[dict[str, Any]], dict[str, Any]],
        written: Mapping[str, Any],
        candidates: Callable[[Mapping[str, Any]], Iterable[KeyPath]],
        told: Iterable[str] = (),
    ) -> Iterator[Finding]:
        """The values without which a DAG works, or fails otherwise.

        Args:
            complete: Makes a DAG of what is looked at.
            written: What is looked at.
            candidates: The paths of values that can be taken away.
            told: The names of arguments that something is said about already.
        """
        rest = copied(written)
        taken = set(told)
        for _ in range(_MOST_BLAMED):
            error = self.failure(complete(rest))
            if error is None:
                return
            blamed = self._blamed(complete, rest, list(candidates(rest)), error)
            if blamed is None:
                # What was taken away, because it is refused, may be missed now.
                if not any(_names(error, name) for name in taken):
                    said = f"Airflow refuses it: {error}"
                    yield Finding("refused_dag", _task_of(rest), said, on_key=True)
                return
            yield _refusal(blamed, error)
            taken |= {str(blamed[-1]), *_keys_at(rest, blamed)}
            take_away(rest, blamed)

    def _blamed(
        self,
        complete: Callable[[dict[str, Any]], dict[str, Any]],
        rest: Mapping[str, Any],
        candidates: list[KeyPath],
        error: str,
    ) -> KeyPath | None:
        works: list[KeyPath] = []
        differs: list[KeyPath] = []
        for path in candidates:
            without = self.failure(complete(_without(rest, path)))
            if without is None:
                works.append(path)
            elif without != error:
                # Of what must be there, another error says that it is not.
                is_missed = _names(without, str(path[-1]))
                differs.insert(len(differs) if is_missed else 0, path)
        for found in (works, differs):
            named = [one for one in found if _names(error, str(one[-1]))]
            if named or found:
                return (named or found)[0]
        return None


def keys_of_dag(written: Mapping[str, Any]) -> Iterator[KeyPath]:
    """What can be taken away from a DAG without its tasks."""
    for key, value in written.items():
        if key not in ("tasks", "task_groups", "default_args"):
            yield (key,)
        if key == "default_args" and isinstance(value, dict):
            yield from ((key, one) for one in value)
    yield from _keys_of_groups(written)


def _keys_of_groups(written: Mapping[str, Any]) -> Iterator[KeyPath]:
    groups = entries(written.get("task_groups"), ("task_groups",), "group_name")
    for group in groups.values():
        yield from ((*group.path, key) for key in group.written if key != "group_name")


def keys_of_task(written: Mapping[str, Any], task: Entry) -> Iterator[KeyPath]:
    """What can be taken away from a DAG with one task."""
    path = ("tasks", task.name)
    options = written["tasks"][task.name]
    for key, value in options.items():
        if key in ("expand", "partial") and isinstance(value, dict) and len(value) > 1:
            yield from ((*path, key, one) for one in value)
        elif key not in _NEVER_BLAMED:
            yield (*path, key)
    if isinstance(defaults := written.get("default_args"), dict):
        yield from (("default_args", key) for key in defaults)
    groups = entries(written.get("task_groups"), ("task_groups",), "group_name")
    for group in groups.values():
        if isinstance(arguments := group.written.get("default_args"), dict):
            yield from ((*group.path, "default_args", key) for key in arguments)


def _task_of(written: Mapping[str, Any]) -> KeyPath:
    """The last task, which is the one that is looked at; the DAG itself where it has none."""
    tasks = written.get("tasks")
    return ("tasks", list(tasks)[-1]) if tasks else ()


def _names(error: str, name: str) -> bool:
    """Whether an error's words have a name among them."""
    return re.search(rf"\b{re.escape(name)}\b", error) is not None


def _keys_at(value: Any, path: KeyPath) -> Iterable[str]:
    for step in path:
        value = value[step]
    return map(str, value) if isinstance(value, dict) else ()


def _refusal(path: KeyPath, error: str) -> Finding:
    if wrong := _WRONG_TYPE.search(error):
        kind = _TYPES.get(wrong["kind"], wrong["kind"])
        message = f"`{path[-1]}` must be {kind}, not {wrong['value']}"
        is_quoted = wrong["value"][:1] in "'\"" and wrong["kind"] != "str"
        return Finding(
            "wrong_type", path, message, "write it without quotes" if is_quoted else None
        )
    return Finding("argument", path, f"Airflow refuses `{path[-1]}`: {error}")


_WRONG_TYPE = re.compile(
    r"expects <class '(?P<kind>\w+)'>, got <class '\w+'> with value (?P<value>.+)$"
)
_TYPES = {"bool": "true or false", "int": "a whole number", "str": "text", "float": "a number"}


def _without(written: Mapping[str, Any], path: KeyPath) -> dict[str, Any]:
    """The same without what stands at a path."""
    changed: dict[str, Any] = copied(written)
    take_away(changed, path)
    return changed


def copied(value: Any) -> Any:
    """A copy that may be changed: dag-factory changes what it is given."""
    return copy.deepcopy(value)


@contextmanager
def _variables(written: Mapping[str, Any]) -> Iterator[None]:
    """Values for the variables that a DAG reads while it is built: those of Airflow are not known here."""
    tasks = entries(written.get("tasks"), ("tasks",), "task_id").values()
    names = {
        f"AIRFLOW_VAR_{str(one.get('variable')).upper()}"
        for task in tasks
        for one in task.written.get("variables_as_arguments") or ()
        if isinstance(one, dict)
    }
    os.environ.update(dict.fromkeys(names, "1"))
    try:
        yield
    finally:
        for name in names:
            os.environ.pop(name, None)


def words_of(error: BaseException) -> str:
    """What an error says, in a line."""
    text = " ".join(str(error).split())
    is_clear = isinstance(error, ValueError | TypeError) and text
    said = text if is_clear else f"{type(error).__name__}: {text}"
    home = str(Path(tempfile.gettempdir()))
    return re.sub(rf"{re.escape(home)}/factory-airflow-\w+", "…", said)[:400]
