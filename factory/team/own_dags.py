"""What is wrong with `dags`, the part in plain dag-factory format, as far as Airflow need not be asked.

dag-factory drops keys that it does not know, and stops at the first error with Python's words for it
(`KeyError: 'swep'`). What operators take is known to Airflow alone: see `factory.team.dag_questions`.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from typing import Any

from pydantic_core import PydanticCustomError

from factory.base.findings import Finding, KeyPath
from factory.base.texts import closest, did_you_mean, one_of
from factory.team.own_tasks import check_tasks, mappings_of
from factory.team.schedule import PRESETS, known_zone

DEFAULT = "default"
"""Among `dags`: what is laid under each of the others, as in dag-factory's own files."""

_TYPE = "__type__"
_COMBINED = ("__and__", "__or__")
_TIMEDELTA = "{__type__: datetime.timedelta, seconds: 300}"
_RELATIVE = re.compile(r"\s*\d+\s+(hour|minute|second|day)s?[\s,]*", re.IGNORECASE)
"""A date before today, as dag-factory reads it."""
_TIME_OF_DAY = re.compile(r"(\d{1,2})[:.h](\d\d)(?::\d\d)?")
_MAX_TAG = 100

CALLBACKS = tuple(
    f"on_{event}_callback" for event in ("execute", "success", "failure", "retry", "skipped")
)
_BY_FILE = frozenset(f"{name}_{end}" for name in CALLBACKS for end in ("name", "file")) | {
    "doc_md_file_path",
    "doc_md_python_arguments",
    "doc_md_python_callable_file",
    "doc_md_python_callable_name",
}
"""Keys that dag-factory knows, and `factory.team.dag_rules` refuses."""

IGNORED = {
    "default_view": "Airflow 3 has one view",
    "orientation": "Airflow 3 has one orientation",
    "sla_miss_callback": "Airflow 3 has no SLAs",
    "on_execute_callback": "a DAG has no such callback: tasks have, below `default_args`",
}
"""Keys of a DAG that change nothing, which older files have, and why."""

_DROPPED = (
    *("allowed_run_types", "auto_register", "deadline", "disable_bundle_versioning", "fail_fast"),
    *("jinja_environment_kwargs", "max_consecutive_failed_dag_runs", "owner_links"),
    *("rerun_with_latest_version", "template_undefined", "user_defined_filters"),
)
"""Keys of Airflow's DAGs that dag-factory does not hand on."""

_OF_TASKS = (
    *("owner", "email", "email_on_retry", "email_on_failure", "retries", "retry_delay", "queue"),
    *("retry_exponential_backoff", "max_retry_delay", "depends_on_past", "wait_for_downstream"),
    *("priority_weight", "weight_rule", "pool", "pool_slots", "execution_timeout", "trigger_rule"),
    *("executor", "executor_config", "on_retry_callback", "on_skipped_callback", "run_as_user"),
    *("max_active_tis_per_dag", "max_active_tis_per_dagrun", "do_xcom_push"),
)
"""What tasks take, and people write at the DAG."""

_INSTEAD = {
    "schedule_interval": "write `schedule`, as Airflow 3 names it",
    "timetable": "write it below `schedule`: schedule: {__type__: package.module.Timetable, …}",
    "dag_id": "leave it out: the DAG's id is the team's name and its own, with a point between them",
    "dagrun_timeout_sec": f"write dagrun_timeout: {_TIMEDELTA}",
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
        if key in _CHECKS:
            yield from _CHECKS[key](value, (key,))
        elif key not in IGNORED and key not in _BY_FILE:
            yield _unknown(key)
    yield from _check_period(dag)
    if dag.get("schedule") == "@continuous" and dag.get("max_active_runs") != 1:
        message = "a DAG that runs continuously has one run at a time"
        yield Finding("schedule", ("schedule",), message, "add `max_active_runs: 1`")
    yield from check_tasks(dag)
    for path, options in _options(dag):
        yield from _check_options(options, path)


def _unknown(key: str) -> Finding:
    if key in _DROPPED:
        message = f"`{key}` changes nothing: dag-factory does not hand it on to Airflow"
        return Finding("unknown_key", (key,), message, "leave it out", on_key=True)
    advice = _INSTEAD.get(key)
    if advice is None and key in _OF_TASKS:
        advice = "it belongs to tasks: write it below `default_args`"
    if advice is None:
        known = [one for one in _CHECKS if one not in _BY_FILE]
        near, of_tasks = closest(key, known), closest(key, _OF_TASKS, likeness=0.8)
        if near is None and of_tasks is not None:
            advice = f"did you mean `{of_tasks}`? It belongs below `default_args`"
        else:
            advice = f"did you mean `{near}`?" if near else f"a DAG has {one_of(sorted(known))}"
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
    for key, value in options.items():
        if key in ("retry_delay", "max_retry_delay"):
            yield from _span(value, (*path, key), or_seconds=True)
        elif key == "execution_timeout":
            yield from _span(value, (*path, key))
        elif key in CALLBACKS:
            yield from _callback(value, (*path, key))
    if path[0] == "tasks":
        yield from _check_dates_of_task(options, path)
    if path[-1] == "default_args":
        for key in ("start_date", "end_date"):
            if key in options:
                yield from _date(options[key], (*path, key))
        if "timezone" in options:
            yield from _timezone(options["timezone"], (*path, "timezone"))
        yield from (one.below(path) for one in _check_period(options))


def _check_dates_of_task(task: Mapping[str, Any], path: KeyPath) -> Iterator[Finding]:
    delta = task.get("execution_delta")
    if isinstance(delta, str) and not _RELATIVE.fullmatch(delta):
        message = f"{delta!r} is not a span of time"
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


def _a(kind: type | tuple[type, ...], words: str) -> Callable[[object, KeyPath], Iterator[Finding]]:
    """A check that a value is of a type."""

    def check(value: object, path: KeyPath) -> Iterator[Finding]:
        is_truth = isinstance(value, bool) and kind is not bool
        if is_truth or not isinstance(value, kind):
            message = f"`{path[-1]}` must be {words}, not {value!r}"
            yield Finding("wrong_type", path, message)

    return check


def _or_none(
    check: Callable[[object, KeyPath], Iterator[Finding]],
) -> Callable[[object, KeyPath], Iterator[Finding]]:
    def or_none(value: object, path: KeyPath) -> Iterator[Finding]:
        if value is not None:
            yield from check(value, path)

    return or_none


def _count(value: object, path: KeyPath) -> Iterator[Finding]:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        message = f"`{path[-1]}` must be a whole number, not {value!r}"
        yield Finding("wrong_type", path, message)


def _tags(value: object, path: KeyPath) -> Iterator[Finding]:
    if isinstance(value, str):
        message = "`tags` must be a list"
        yield Finding("wrong_type", path, message, f"write [{value}]")
    elif not isinstance(value, list):
        yield Finding("wrong_type", path, "`tags` must be a list of texts", "write [one, another]")
    else:
        for index, tag in enumerate(value):
            if not isinstance(tag, str) or not tag:
                message = f"a tag must be a text, not {tag!r}"
                yield Finding("wrong_type", (*path, index), message, f'write "{tag}"')
            elif len(tag) > _MAX_TAG:
                message = f"a tag has at most {_MAX_TAG} characters"
                yield Finding("string_too_long", (*path, index), message)


def _callback(value: object, path: KeyPath) -> Iterator[Finding]:
    is_right = isinstance(value, str) or (
        isinstance(value, dict) and (isinstance(value.get("callback"), str) or _TYPE in value)
    )
    if not is_right and value is not None:
        message = f"`{path[-1]}` must name one function"
        advice = (
            "write package.module.function, or {callback: package.module.function, argument: …}"
        )
        yield Finding("wrong_type", path, message, advice)


def _date(value: object, path: KeyPath) -> Iterator[Finding]:
    if value is None or isinstance(value, date) or (isinstance(value, dict) and _TYPE in value):
        return
    if isinstance(value, str) and (_RELATIVE.fullmatch(value) or _as_date(value) is not None):
        return
    message = f"{value!r} is not a date"
    yield Finding(
        "date", path, message, "write a date, such as 2024-01-31, or `2 days` for two days ago"
    )


def _as_date(value: object) -> datetime | None:
    """A date as dag-factory reads it, without its time zone; None where it is none, or relative."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=None)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)  # noqa: DTZ001 - compared with its like
    if not isinstance(value, str):
        return None
    try:
        return datetime.fromisoformat(value).replace(tzinfo=None)
    except ValueError:
        pass
    # Late: takes long to import, and few dates need it.
    import pendulum

    try:
        # A span of time is parsed too, and is no date.
        return datetime.fromisoformat(str(pendulum.parse(value))).replace(tzinfo=None)
    except ValueError:
        return None


def _check_period(options: Mapping[str, Any]) -> Iterator[Finding]:
    start, end = options.get("start_date"), options.get("end_date")
    first, last = _as_date(start), _as_date(end)
    if first is not None and last is not None and last < first:
        message = f"the end date {end} is before the start date {start}, so that it never runs"
        yield Finding("date", ("end_date",), message, "write a later date, or leave it out")


def _timezone(value: object, path: KeyPath) -> Iterator[Finding]:
    if not isinstance(value, str):
        if not (isinstance(value, dict) and _TYPE in value):
            yield Finding("wrong_type", path, f"`timezone` must be text, not {value!r}")
        return
    try:
        known_zone(value)
    except PydanticCustomError as error:
        yield Finding("time_zone", path, error.message(), (error.context or {}).get("advice"))


def _span(value: object, path: KeyPath, *, or_seconds: bool = False) -> Iterator[Finding]:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if value is None or (isinstance(value, dict) and _TYPE in value) or (or_seconds and is_number):
        if is_number and isinstance(value, int | float) and value < 0:
            yield Finding("time_span", path, f"`{path[-1]}` cannot be negative")
        return
    seconds = f", or a number of seconds{' without quotes' if isinstance(value, str) else ''}"
    message = f"{value!r} is not a span of time"
    advice = f"write {path[-1]}: {_TIMEDELTA}{seconds if or_seconds else ''}"
    yield Finding("time_span", path, message, advice)


def _dagrun_timeout(value: object, path: KeyPath) -> Iterator[Finding]:
    yield from _span(value, path)


def _schedule(value: object, path: KeyPath) -> Iterator[Finding]:
    if isinstance(value, str):
        yield from _cron(value, path)
    elif isinstance(value, list):
        yield from _assets(value, path)
    elif isinstance(value, dict):
        yield from _scheduling_object(value, path)
    elif value is not None:
        message = f"{value!r} is not a schedule"
        yield Finding("schedule", path, message, 'write a cron expression, or "@daily"')


def _assets(value: list[Any], path: KeyPath) -> Iterator[Finding]:
    for index, asset in enumerate(value):
        is_asset = isinstance(asset, str) or (
            isinstance(asset, dict) and any(key in asset for key in (_TYPE, *_COMBINED))
        )
        if not is_asset:
            message = f"{asset!r} is not an asset"
            advice = 'write its address, such as "s3://bucket/file.csv", or {__type__: airflow.sdk.Asset, …}'
            yield Finding("schedule", (*path, index), message, advice)


def _scheduling_object(value: Mapping[str, Any], path: KeyPath) -> Iterator[Finding]:
    if _TYPE in value:
        return
    [*combined] = (key for key in _COMBINED if key in value)
    if len(combined) == 1 and len(value) == 1 and isinstance(value[combined[0]], list):
        for index, part in enumerate(value[combined[0]]):
            at = (*path, combined[0], index)
            if isinstance(part, dict):
                yield from _scheduling_object(part, at)
            else:
                message = f"{part!r} cannot be combined: it must be an asset"
                advice = "write {__type__: airflow.sdk.Asset, uri: …}"
                yield Finding("schedule", at, message, advice)
        return
    if "datasets" in value:
        message = "dag-factory has no `datasets` below `schedule` on Airflow 3"
        advice = (
            "write a list of addresses to wait for all of them, or "
            "{__or__: [{__type__: airflow.sdk.Asset, uri: …}, …]}"
        )
    else:
        message = "the mapping is not a schedule"
        advice = "write {__type__: datetime.timedelta, hours: 6}, {__and__: [asset, asset]}, or a cron expression"
    yield Finding("schedule", path, message, advice)


def _cron(value: str, path: KeyPath) -> Iterator[Finding]:
    text = value.strip()
    if text in PRESETS or text.lower() == "none":
        return
    if text.startswith("@"):
        message = f"{value!r} is not a preset"
        advice = did_you_mean(text, PRESETS, f"write one of {one_of(PRESETS)}")
        yield Finding("cron", path, message, advice)
        return
    if "://" in text:
        message = f"{value!r} is an address and no cron expression"
        yield Finding("schedule", path, message, f'write a list of assets: ["{text}"]')
        return
    # Late: takes long to import.
    from croniter import croniter

    if not croniter.is_valid(text):
        message = f"{value!r} is not a cron expression"
        time = _TIME_OF_DAY.fullmatch(text)
        advice = (
            f'each day at that time is "{int(time[2])} {int(time[1])} * * *"'
            if time
            else "write five fields, such as '30 2 * * 1-5' (minute hour day month weekday)"
        )
        yield Finding("cron", path, message, advice)


def _anything(_value: object, _path: KeyPath) -> Iterator[Finding]:
    """For what is looked at elsewhere."""
    return iter(())


_text, _truth = _a(str, "text"), _a(bool, "true or false")
_mapping = _a(dict, "a mapping")

_CHECKS: Mapping[str, Callable[[object, KeyPath], Iterator[Finding]]] = {
    "access_control": _or_none(_mapping),
    "catchup": _truth,
    "concurrency": _count,
    "dag_display_name": _text,
    "dagrun_timeout": _dagrun_timeout,
    "default_args": _mapping,
    "description": _or_none(_text),
    "doc_md": _or_none(_text),
    "end_date": _date,
    "is_paused_upon_creation": _or_none(_truth),
    "max_active_runs": _count,
    "max_active_tasks": _count,
    "on_failure_callback": _callback,
    "on_success_callback": _callback,
    "params": _or_none(_mapping),
    "render_template_as_native_obj": _truth,
    "schedule": _schedule,
    "start_date": _date,
    "tags": _tags,
    "task_groups": _anything,
    "tasks": _anything,
    "template_searchpath": _or_none(_a((str, list), "a folder or a list of folders")),
    "timezone": _timezone,
    "user_defined_macros": _or_none(_mapping),
    "vars": _anything,
}
"""The keys of a DAG that dag-factory hands on, and what is looked at in each."""

DAG_KEYS = frozenset(_CHECKS)
