"""The keys of a DAG in plain dag-factory format, and what may stand at each."""

from collections.abc import Callable, Iterator, Mapping

from factory.base.findings import Finding, KeyPath
from factory.team.own_schedules import TYPE, check_date, check_schedule, check_span, check_timezone

_MAX_TAG = 100

CALLBACKS = tuple(
    f"on_{event}_callback" for event in ("execute", "success", "failure", "retry", "skipped")
)
BY_FILE = frozenset(f"{name}_{end}" for name in CALLBACKS for end in ("name", "file")) | {
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

OF_TASKS = (
    *("owner", "email", "email_on_retry", "email_on_failure", "retries", "retry_delay", "queue"),
    *("retry_exponential_backoff", "max_retry_delay", "depends_on_past", "wait_for_downstream"),
    *("priority_weight", "weight_rule", "pool", "pool_slots", "execution_timeout", "trigger_rule"),
    *("executor", "executor_config", "on_retry_callback", "on_skipped_callback", "run_as_user"),
    *("max_active_tis_per_dag", "max_active_tis_per_dagrun", "do_xcom_push"),
)
"""What tasks take, and people write at the DAG."""


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


def check_callback(value: object, path: KeyPath) -> Iterator[Finding]:
    """That a value names no function to call."""
    is_right = isinstance(value, str) or (
        isinstance(value, dict) and (isinstance(value.get("callback"), str) or TYPE in value)
    )
    if not is_right and value is not None:
        message = f"`{path[-1]}` must name one function"
        advice = (
            "write package.module.function, or {callback: package.module.function, argument: …}"
        )
        yield Finding("wrong_type", path, message, advice)


def _anything(_value: object, _path: KeyPath) -> Iterator[Finding]:
    """For what is looked at elsewhere."""
    return iter(())


_text, _truth = _a(str, "text"), _a(bool, "true or false")
_mapping = _a(dict, "a mapping")

DAG_KEYS: Mapping[str, Callable[[object, KeyPath], Iterator[Finding]]] = {
    "access_control": _or_none(_mapping),
    "catchup": _truth,
    "concurrency": _count,
    "dag_display_name": _text,
    "dagrun_timeout": check_span,
    "default_args": _mapping,
    "description": _or_none(_text),
    "doc_md": _or_none(_text),
    "end_date": check_date,
    "is_paused_upon_creation": _or_none(_truth),
    "max_active_runs": _count,
    "max_active_tasks": _count,
    "on_failure_callback": check_callback,
    "on_success_callback": check_callback,
    "params": _or_none(_mapping),
    "render_template_as_native_obj": _truth,
    "schedule": check_schedule,
    "start_date": check_date,
    "tags": _tags,
    "task_groups": _anything,
    "tasks": _anything,
    "template_searchpath": _or_none(_a((str, list), "a folder or a list of folders")),
    "timezone": check_timezone,
    "user_defined_macros": _or_none(_mapping),
    "vars": _anything,
}
"""The keys of a DAG that dag-factory hands on, and what is looked at in each."""
