"""What the tasks of a DAG in dag-factory's format are given, against what their operators and functions take.

Paths of findings start at the task, unless it says otherwise.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from factory.airflow.operator_signatures import function_parameters, operator_parameters
from factory.base.findings import Finding, KeyPath
from factory.base.texts import closest, did_you_mean, one_of
from factory.team.own_entries import Entry, entries
from factory.team.own_keys import CALLBACKS, DAG_KEYS

OF_DAG_FACTORY = frozenset(
    (
        *("operator", "decorator", "dependencies", "task_group_name", "parent_group_name"),
        *("task_id", "expand", "partial", "variables_as_arguments"),
    )
)
"""Keys of a task that no operator sees."""
_NO_ARGUMENTS = OF_DAG_FACTORY | {"python_callable"}
_READ_ELSEWHERE = frozenset(("timezone", "params", *CALLBACKS))
"""Keys of `default_args` that dag-factory and Airflow's DAGs read."""


def arguments(task: Mapping[str, Any]) -> Iterator[tuple[KeyPath, str]]:
    """The arguments of a task, those of `expand` and `partial` among them, with what they stand below."""
    for key in task:
        if key not in OF_DAG_FACTORY:
            yield (), key
    for section in ("expand", "partial"):
        mapped = task.get(section)
        for key in mapped if isinstance(mapped, dict) else ():
            yield (section,), key


@dataclass(frozen=True)
class Misfits:
    """The arguments of a task that nothing takes, or that are missing."""

    findings: tuple[Finding, ...]
    meant: Mapping[KeyPath, str | None]
    """By the path of each that is not taken, the argument that is probably meant."""


def arguments_of_operator(
    task: Mapping[str, Any], operator: type, given: AbstractSet[str]
) -> Misfits:
    """Arguments that an operator does not take, and those that it misses.

    Args:
        task: What is written.
        operator: Its class.
        given: All arguments that it gets, those of `default_args` among them.
    """
    takes = operator_parameters(operator)
    own = sorted(takes.names - _of_every_operator()) or ["what every operator takes"]
    name = task["operator"].rpartition(".")[2]
    paths = [(*at, key) for at, key in arguments(task) if key not in takes.names | _NO_ARGUMENTS]
    meant = {path: closest(str(path[-1]), takes.names) for path in paths}
    missing = takes.required - given - set(filter(None, meant.values()))
    return Misfits(
        (*(_not_taken(name, path, takes.names, own) for path in paths), *_missing(name, missing)),
        meant,
    )


def arguments_of_function(
    task: Mapping[str, Any], function: Callable[..., Any], given: AbstractSet[str]
) -> Misfits:
    """Arguments that neither a decorated function nor its operator takes, and those that the function misses.

    Args:
        task: What is written.
        function: What Airflow's `task` decorates.
        given: All arguments that it gets.
    """
    from airflow.providers.standard.operators.python import PythonOperator
    from airflow.sdk.definitions.context import KNOWN_CONTEXT_KEYS

    takes = function_parameters(function)
    of_task = operator_parameters(PythonOperator).names | {"multiple_outputs"}
    name = task["python_callable"].rpartition(".")[2]
    findings: list[Finding] = []
    meant: dict[KeyPath, str | None] = {}
    for at, key in arguments(task):
        known = takes.names if at else takes.names | of_task
        if key not in known | _NO_ARGUMENTS and not (at and takes.takes_more):
            meant[*at, key] = closest(key, known)
            findings.append(_not_taken(name, (*at, key), known, sorted(takes.names)))
        elif not at and key in takes.by_keyword_only and key not in of_task:
            message = f"dag-factory hands on no argument that is by keyword only, as `{key}` is"
            advice = (
                f"take the `*` out of `{name}`'s arguments, or use PythonOperator and `op_kwargs`"
            )
            findings.append(Finding("argument", (key,), message, advice, on_key=True))
    if not task.keys() & {"op_args", "op_kwargs"}:
        missing = takes.required - given - set(filter(None, meant.values())) - KNOWN_CONTEXT_KEYS
        findings += _missing(name, missing)
    return Misfits(tuple(findings), meant)


def wrong_rules(options: Mapping[str, Any]) -> Iterator[Finding]:
    """A `trigger_rule` or `weight_rule` that there is not."""
    from airflow.task.trigger_rule import TriggerRule
    from airflow.task.weight_rule import WeightRule

    for key, rules in (("trigger_rule", TriggerRule), ("weight_rule", WeightRule)):
        known = [str(rule.value) for rule in rules if not rule.value.startswith("_")]
        value = options.get(key)
        is_path = key == "weight_rule" and "." in str(value)
        if isinstance(value, str) and value not in known and not is_path:
            message = f"{value!r} is not a {key.replace('_', ' ')}"
            advice = did_you_mean(value, known, f"write one of {one_of(known)}")
            yield Finding("not_a_choice", (key,), message, advice)


def unused_defaults(dag: Mapping[str, Any], objects: Mapping[str, Any]) -> Iterator[Finding]:
    """Keys of `default_args` that no task of a DAG takes; paths start at the DAG.

    Args:
        dag: What is written.
        objects: What its dotted paths name.
    """
    taken = {*_of_every_operator(), *_READ_ELSEWHERE}
    is_known = True
    for task in entries(dag.get("tasks"), ("tasks",), "task_id").values():
        operator = objects.get(str(task.written.get("operator")))
        if isinstance(operator, type):
            taken |= operator_parameters(operator).names
        is_known &= isinstance(operator, type) or "operator" not in task.written
    groups = entries(dag.get("task_groups"), ("task_groups",), "group_name").values()
    places: list[tuple[KeyPath, Mapping[str, Any]]] = [((), dag)]
    for path, written in (*places, *((one.path, one.written) for one in groups)):
        for key in written.get("default_args") or {}:
            # An operator that is not known may take what is like nothing else.
            if key not in taken and (is_known or key in DAG_KEYS or closest(key, taken)):
                yield _not_used((*path, "default_args", key), taken)


def _not_used(path: KeyPath, taken: AbstractSet[str]) -> Finding:
    key = str(path[-1])
    if key in DAG_KEYS:
        message = f"`{key}` changes nothing below `default_args`: no task takes it"
        return Finding(
            "ignored_key", path, message, "move it up: it is a key of the DAG", on_key=True
        )
    advice = did_you_mean(key, taken, "leave it out")
    return Finding("argument", path, f"no task of this DAG takes `{key}`", advice, on_key=True)


def unused_arguments(tasks: Iterable[Entry], objects: Mapping[str, Any]) -> Iterator[Finding]:
    """Keys of `op_kwargs` that a task's function does not take; paths start at the DAG.

    Args:
        tasks: The DAG's tasks.
        objects: What its dotted paths name.
    """
    for task in tasks:
        function = objects.get(task.written.get("python_callable", ""))
        given = task.written.get("op_kwargs")
        if "operator" not in task.written or function is None or not isinstance(given, dict):
            continue
        takes = function_parameters(function)
        name = task.written["python_callable"].rpartition(".")[2]
        for key in () if takes.takes_more else given.keys() - takes.names:
            found = _not_taken(name, ("op_kwargs", key), takes.names, sorted(takes.names))
            yield found.below(task.path)


def _of_every_operator() -> frozenset[str]:
    from airflow.sdk.bases.operator import BaseOperator

    return operator_parameters(BaseOperator).names


def _not_taken(name: str, path: KeyPath, known: Iterable[str], shown: Iterable[str]) -> Finding:
    key = str(path[-1])
    advice = did_you_mean(key, known, f"it takes {one_of(shown) or 'no argument'}")
    return Finding("argument", path, f"`{name}` takes no `{key}`", advice, on_key=True)


def _missing(name: str, keys: Iterable[str]) -> Iterator[Finding]:
    for key in sorted(keys):
        yield Finding("argument", (), f"`{name}` needs `{key}`", f"add `{key}`", on_key=True)
