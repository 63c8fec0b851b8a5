"""The code that DAGs in plain dag-factory format name: where it stands, and whether it is the named package's own."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from factory.base.findings import KeyPath
from factory.base.objects import import_object

HARMLESS = frozenset(
    (
        *("builtins.list", "datetime.timedelta", "datetime.datetime", "datetime.time"),
        *("dateutil.relativedelta.relativedelta", "airflow.sdk.Asset", "airflow.sdk.Param"),
        "airflow.timetables.interval.CronDataIntervalTimetable",
        "airflow.timetables.interval.DeltaDataIntervalTimetable",
        "airflow.timetables.trigger.CronTriggerTimetable",
        "airflow.timetables.trigger.DeltaTriggerTimetable",
    )
)
"""Types that dag-factory's own documentation uses with `__type__`, and that only hold values."""
_FUNCTIONS = re.compile(r"python_callable|callback|execution_date_fn|on_\w+_callback")
_OURS = "factory."


def with_texts_joined(value: Any) -> Any:
    """A value with each `__join__` of texts carried out, as it is when the DAG is built.

    So are combinations of one thing alone, which come to that thing.
    """
    if isinstance(value, list):
        return [with_texts_joined(one) for one in value]
    if not isinstance(value, dict):
        return value
    made = {key: with_texts_joined(one) for key, one in value.items()}
    for key in ("__and__", "__or__"):
        if key in made and isinstance(made[key], (list, dict, str)) and len(made[key]) == 1:
            return next(iter(made[key]))
    parts = made.get("__join__")
    if isinstance(parts, list) and all(isinstance(part, (str, int, float)) for part in parts):
        return "".join(map(str, parts))
    return made


def named_code(value: Any, path: KeyPath = ()) -> Iterator[tuple[KeyPath, str]]:
    """The dotted paths in a DAG, with where they stand."""
    if isinstance(value, list):
        for index, one in enumerate(value):
            yield from named_code(one, (*path, index))
    elif isinstance(value, dict):
        for key, one in value.items():
            is_named = key in ("operator", "decorator", "__type__") or _FUNCTIONS.fullmatch(key)
            if is_named and isinstance(one, str) and "." in one:
                yield (*path, key), one
            elif key == "user_defined_macros":
                yield from _macros(one, (*path, key))
            else:
                yield from named_code(one, (*path, key))


def _macros(value: Any, path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    if isinstance(value, dict):
        for key, one in value.items():
            yield from _macros(one, (*path, key))
    elif isinstance(value, str) and "." in value:
        yield path, value


def is_airflows(dotted: str) -> bool:
    """Whether a path is Airflow's, which documents operators under other names than they are defined by."""
    return dotted in HARMLESS or dotted.startswith("airflow.")


def check_origins(dag: Mapping[str, Any], *, is_written: bool) -> None:
    """Check that what a team's tasks name of a package is that package's own.

    The platform allows a package, not what that has imported from elsewhere, such as `subprocess.check_output`.

    Args:
        dag: In dag-factory's format.
        is_written: Whether a team has written all of it; else only tasks that are none of ours are looked at.

    Raises:
        NoSuchObjectError: A path leads to something else, or nowhere.
    """
    written: Any = dag if is_written else [*filter(_is_own, dag.get("tasks", {}).values())]
    if written:
        for dotted in {dotted for _, dotted in named_code(with_texts_joined(written))}:
            if not is_airflows(dotted):
                import_object(dotted)


def _is_own(task: Mapping[str, Any]) -> bool:
    return not str(task.get("operator") or task.get("decorator")).startswith(_OURS)
