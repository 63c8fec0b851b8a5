"""What is wrong with `dags`, the part in plain dag-factory format, as far as Airflow need not be asked.

dag-factory drops keys that it does not know, and stops at the first error with Python's words for it
(`KeyError: 'swep'`). What operators take is known to Airflow alone: see `factory.team.dag_questions`.
"""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from factory.base.findings import Finding, KeyPath
from factory.base.texts import closest, one_of
from factory.team.own_entries import mappings_of
from factory.team.own_keys import BY_FILE, DAG_KEYS, DEFAULT_ARGS, IGNORED, TASK_OPTIONS
from factory.team.own_schedules import (
    RELATIVE,
    TIMEDELTA,
    check_period,
)
from factory.team.own_tasks import check_tasks

_DROPPED = (
    *("allowed_run_types", "auto_register", "deadline", "disable_bundle_versioning", "fail_fast"),
    *("jinja_environment_kwargs", "max_consecutive_failed_dag_runs", "owner_links"),
    *("rerun_with_latest_version", "template_undefined", "user_defined_filters"),
)
"""Keys of Airflow's DAGs that dag-factory does not hand on."""

_OF_THE_PLATFORM = {
    "access_control": "Airflow takes the DAGs of all teams away where a role in it does not exist",
}
"""Keys that dag-factory hands on, and that are not for team files, with the reason."""

_INSTEAD = {
    "schedule_interval": "write `schedule`, as Airflow 3 names it",
    "timetable": "write it below `schedule`: schedule: {__type__: package.module.Timetable, …}",
    "dag_id": "leave it out: the DAG's id is the team's name and its own, with a point between them",
    "dagrun_timeout_sec": f"write dagrun_timeout: {TIMEDELTA}",
}


def check_own_dags(dags: object) -> Iterator[Finding]:
    """What is wrong with the section `dags`, which need not have the right shape."""
    for name, dag in dags.items() if isinstance(dags, dict) else ():
        if isinstance(dag, dict):
            yield from (finding.below(("dags", name)) for finding in _check_dag(dag))


def doubts_of_dags(dags: Mapping[str, Mapping[str, Any]]) -> Iterator[Finding]:
    """What of the section changes nothing, or does nothing."""
    for name, dag in dags.items():
        if not dag.get("tasks"):
            message = "the DAG has no tasks, so that it does nothing"
            at = ("dags", name)
            yield Finding("no_tasks", at, message, "write `tasks:` with a task", on_key=True)
        for key, why in IGNORED.items():
            if key in dag:
                message = f"`{key}` changes nothing: {why}"
                path = ("dags", name, key)
                yield Finding("ignored_key", path, message, "leave it out", on_key=True)


def _check_dag(dag: Mapping[str, Any]) -> Iterator[Finding]:
    for key, value in dag.items():
        if key in DAG_KEYS:
            yield from DAG_KEYS[key].form.check(value, (key,))
        elif key not in IGNORED and key not in BY_FILE:
            yield _unknown(key)
    yield from check_period(dag)
    if dag.get("schedule") == "@continuous" and dag.get("max_active_runs") != 1:
        message = "a DAG that runs continuously has one run at a time"
        yield Finding("schedule", ("schedule",), message, "add `max_active_runs: 1`")
    yield from check_tasks(dag)
    for path, options in _options(dag):
        yield from _check_options(options, path)


def _unknown(key: str) -> Finding:
    if key in _OF_THE_PLATFORM:
        message = f"`{key}` is not for team files: {_OF_THE_PLATFORM[key]}"
        instead = "leave it out, and let the platform grant access by a cluster policy"
        return Finding("unknown_key", (key,), message, instead, on_key=True)
    if key in _DROPPED:
        message = f"`{key}` changes nothing: dag-factory does not hand it on to Airflow"
        return Finding("unknown_key", (key,), message, "leave it out", on_key=True)
    advice = _INSTEAD.get(key)
    if advice is None and key in TASK_OPTIONS:
        advice = "it belongs to tasks: write it below `default_args`"
    if advice is None:
        near, of_tasks = closest(key, DAG_KEYS), closest(key, TASK_OPTIONS, likeness=0.8)
        if near is None and of_tasks is not None:
            advice = f"did you mean `{of_tasks}`? It belongs below `default_args`"
        else:
            advice = f"did you mean `{near}`?" if near else f"a DAG has {one_of(sorted(DAG_KEYS))}"
    return Finding("unknown_key", (key,), f"a DAG has no key `{key}`", advice, on_key=True)


def _options(dag: Mapping[str, Any]) -> Iterator[tuple[KeyPath, Mapping[str, Any]]]:
    """Every mapping of options of tasks: of the DAG, of its groups, of each task."""
    if isinstance(dag.get("default_args"), dict):
        yield ("default_args",), dag["default_args"]
    for path, group in mappings_of(dag.get("task_groups"), ("task_groups",)):
        if isinstance(group.get("default_args"), dict):
            yield (*path, "default_args"), group["default_args"]
    for path, task in mappings_of(dag.get("tasks"), ("tasks",)):
        yield path, task
        if isinstance(task.get("partial"), dict):
            yield (*path, "partial"), task["partial"]


def _check_options(options: Mapping[str, Any], path: KeyPath) -> Iterator[Finding]:
    """What tasks have in common, wherever it is written."""
    known = DEFAULT_ARGS if path[-1] == "default_args" else TASK_OPTIONS
    for key, value in options.items():
        if key in known:
            yield from known[key].form.check(value, (*path, key))
    if path[0] == "tasks":
        yield from _check_dates_of_task(options, path)
    if path[-1] == "default_args":
        yield from (one.below(path) for one in check_period(options))


def _check_dates_of_task(task: Mapping[str, Any], path: KeyPath) -> Iterator[Finding]:
    delta = task.get("execution_delta")
    is_made = isinstance(delta, dict)
    if is_made or (isinstance(delta, str) and not RELATIVE.fullmatch(delta)):
        message = f"{delta!r} is not a span of time"
        if is_made:
            message = "dag-factory reads `execution_delta` as text only"
        at = (*path, "execution_delta")
        yield Finding("time_span", at, message, "write a number and a unit, such as `1 day`")
    for key in ("start_date", "end_date"):
        value = task.get(key)
        if isinstance(value, str | int) or type(value) is date:
            message = f"dag-factory reads no `{key}` of a single task"
            advice = (
                "write it at the DAG or below `default_args`, or make it: "
                "{__type__: datetime.datetime, year: 2024, month: 1, day: 31}"
            )
            yield Finding("date", (*path, key), message, advice)
