"""The keys of DAGs, tasks and task groups in plain dag-factory format: what each is, and what may stand there.

`factory.team.own_dags` and `factory.team.own_tasks` check by it, and `factory.team.own_schema` tells editors.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from factory.base.findings import Finding, KeyPath
from factory.team.own_schedules import TYPE, check_date, check_schedule, check_span, check_timezone

_MAX_TAG = 100

_EVENTS = {
    "execute": "before each try",
    "success": "when it has succeeded",
    "failure": "when it has failed for good",
    "retry": "when it has failed and is tried again",
    "skipped": "when it is skipped",
}
CALLBACKS = tuple(f"on_{event}_callback" for event in _EVENTS)
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

Check = Callable[[object, KeyPath], Iterator[Finding]]


@dataclass(frozen=True)
class Form:
    """What may stand at a key."""

    check: Check
    """What is wrong with a value."""
    schema: Mapping[str, Any]
    """What editors are told of it: it takes all that the check lets through."""

    def or_none(self) -> "Form":
        """The same, or nothing."""

        def check(value: object, path: KeyPath) -> Iterator[Finding]:
            if value is not None:
                yield from self.check(value, path)

        kinds = self.schema["type"]
        listed = [kinds] if isinstance(kinds, str) else kinds
        return Form(check, {**self.schema, "type": [*listed, "null"]})


@dataclass(frozen=True)
class Key:
    """A key that dag-factory knows."""

    form: Form
    about: str
    """What it is, for editors."""
    examples: tuple[Any, ...] = ()


def _a(kind: type | tuple[type, ...], words: str) -> Check:
    """A check that a value is of a type."""

    def check(value: object, path: KeyPath) -> Iterator[Finding]:
        is_truth = isinstance(value, bool) and kind is not bool
        if is_truth or not isinstance(value, kind):
            message = f"`{path[-1]}` must be {words}, not {value!r}"
            yield Finding("wrong_type", path, message)

    return check


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


_MADE = {"required": [TYPE]}
"""Of a value that is a mapping: an object that dag-factory makes."""
_TEXT = Form(_a(str, "text"), {"type": "string"})
_TRUTH = Form(_a(bool, "true or false"), {"type": "boolean"})
_MAPPING = Form(_a(dict, "a mapping"), {"type": "object"})
_COUNT = Form(_count, {"type": "integer", "minimum": 0})
_DATE = Form(check_date, {"type": ["string", "object", "null"], **_MADE})
_ZONE = Form(check_timezone, {"type": ["string", "object"], **_MADE})
_SPAN = Form(check_span, {"type": ["object", "null"], **_MADE})
_DELAY = Form(
    partial(check_span, or_seconds=True),
    {"type": ["number", "object", "null"], "minimum": 0, **_MADE},
)
_SCHEDULE = Form(check_schedule, {"type": ["string", "array", "object", "null"]})
_CALLBACK = Form(_callback, {"type": ["string", "object", "null"]})
_TAGS = Form(
    _tags,
    {"type": "array", "items": {"type": "string", "minLength": 1, "maxLength": _MAX_TAG}},
)
_FOLDERS = Form(_a((str, list), "a folder or a list of folders"), {"type": ["string", "array"]})
_ANYTHING = Form(_anything, {})
"""For what Airflow alone knows, or `factory.team.own_tasks` looks at."""
_NAME = Form(_anything, {"type": ["string", "null"]})
_NAMES = Form(_anything, {"type": ["array", "null"], "items": {"type": "string"}})
_PATH = Form(_anything, {"type": "string"})
_ASSETS = Form(_anything, {"type": ["array", "object", "null"], **_MADE})
_ARGUMENTS = Form(_anything, {"type": ["object", "null"], "minProperties": 1})
_VARIABLES = Form(
    _anything, {"type": ["array", "object", "null"], "required": ["variable", "attribute"]}
)

_FIVE_MINUTES = {TYPE: "datetime.timedelta", "seconds": 300}
_FUNCTION = ("fleet.alarms.ring", {"callback": "fleet.alarms.ring", "loud": True})
_ONE_MADE = {TYPE: "datetime.datetime", "year": 2024, "month": 1, "day": 31}

DAG_KEYS: Mapping[str, Key] = {
    "catchup": Key(
        _TRUTH, "Whether runs that were missed since `start_date` are made up.", (False,)
    ),
    "concurrency": Key(_COUNT, "The older name of `max_active_tasks`.", (4,)),
    "dag_display_name": Key(_TEXT, "What Airflow shows in place of the DAG's id.", ("Tidy up",)),
    "dagrun_timeout": Key(_SPAN, "How long a run may take before it fails.", (_FIVE_MINUTES,)),
    "default_args": Key(
        _MAPPING, "What all tasks of the DAG have, unless they say otherwise.", ({"retries": 2},)
    ),
    "description": Key(_TEXT.or_none(), "What the DAG does, in a line.", ("Tidies the hold up",)),
    "doc_md": Key(_TEXT.or_none(), "The DAG's page in Airflow, in Markdown.", ("# Tidy up",)),
    "end_date": Key(_DATE, "After which date there are no more runs.", ("2031-01-31",)),
    "is_paused_upon_creation": Key(
        _TRUTH.or_none(),
        "Whether the DAG waits, when it is new, until a person starts it.",
        (True,),
    ),
    "max_active_runs": Key(_COUNT, "How many runs there are at once, at most.", (1,)),
    "max_active_tasks": Key(_COUNT, "How many tasks of the DAG run at once, at most.", (4,)),
    "on_failure_callback": Key(_CALLBACK, "Called when a run has failed.", _FUNCTION),
    "on_success_callback": Key(_CALLBACK, "Called when a run has succeeded.", _FUNCTION),
    "params": Key(_MAPPING.or_none(), "What a person may set for a run.", ({"day": "monday"},)),
    "render_template_as_native_obj": Key(
        _TRUTH, "Whether templates become lists, numbers and so on, in place of text.", (True,)
    ),
    "schedule": Key(
        _SCHEDULE,
        "When the DAG runs: a cron expression, a preset, or assets to wait for; never by itself when left out.",
        (
            "30 2 * * 1-5",
            "@daily",
            ["s3://bucket/file.csv"],
            {TYPE: "datetime.timedelta", "hours": 6},
        ),
    ),
    "start_date": Key(
        _DATE, "The date of the first run, or a span before today.", ("2024-01-31", "2 days")
    ),
    "tags": Key(_TAGS, "Words by which Airflow finds the DAG.", (["nightly"],)),
    "task_groups": Key(
        _ANYTHING,
        "Groups of tasks, by name; a task says of which it is by `task_group_name`.",
        ({"tools": {"tooltip": "What cleans"}},),
    ),
    "tasks": Key(
        _ANYTHING,
        "What the DAG does, by name.",
        ({"sweep": {"operator": "airflow.providers.standard.operators.empty.EmptyOperator"}},),
    ),
    "template_searchpath": Key(
        _FOLDERS.or_none(), "Folders in which templates look for files.", (["/opt/templates"],)
    ),
    "timezone": Key(_ZONE, "The time zone of `start_date` and `end_date`.", ("Europe/Berlin",)),
    "user_defined_macros": Key(
        _MAPPING.or_none(), "Functions for templates, by name.", ({"ring": "fleet.alarms.ring"},)
    ),
    "vars": Key(_ANYTHING, "A place for YAML's anchors; nothing reads it.", ({"day": "monday"},)),
}
"""The keys of a DAG that dag-factory hands on."""

TASK_OPTIONS: Mapping[str, Key] = {
    "depends_on_past": Key(
        _ANYTHING, "Whether it waits for its own success in the run before.", (True,)
    ),
    "do_xcom_push": Key(_ANYTHING, "Whether its result is stored for others.", (False,)),
    "email": Key(_ANYTHING, "Addresses for mails.", (["crew@example.org"],)),
    "email_on_failure": Key(_ANYTHING, "Whether to send a mail when it has failed.", (True,)),
    "email_on_retry": Key(_ANYTHING, "Whether to send a mail when it is tried again.", (False,)),
    "execution_timeout": Key(_SPAN, "How long one try may take.", (_FIVE_MINUTES,)),
    "executor": Key(
        _ANYTHING, "The executor that runs it, by its name in Airflow.", ("CeleryExecutor",)
    ),
    "executor_config": Key(_ANYTHING, "What its executor is told.", ({"KubernetesExecutor": {}},)),
    "max_active_tis_per_dag": Key(_ANYTHING, "How many of it run at once, in all runs.", (1,)),
    "max_active_tis_per_dagrun": Key(_ANYTHING, "How many of it run at once, in one run.", (4,)),
    "max_retry_delay": Key(_DELAY, "The longest wait before another try.", (3600, _FIVE_MINUTES)),
    **{
        f"on_{event}_callback": Key(_CALLBACK, f"Called {when}.", _FUNCTION)
        for event, when in _EVENTS.items()
    },
    "owner": Key(_ANYTHING, "Who is answerable; the team's owner when left out.", ("crew",)),
    "pool": Key(_ANYTHING, "The pool that it takes slots of.", ("default_pool",)),
    "pool_slots": Key(_ANYTHING, "How many slots of its pool it takes.", (2,)),
    "priority_weight": Key(_ANYTHING, "How early it runs among those that wait.", (5,)),
    "queue": Key(_ANYTHING, "The queue of the workers that run it.", ("large",)),
    "retries": Key(_ANYTHING, "How often it is tried again.", (2,)),
    "retry_delay": Key(
        _DELAY, "The wait before another try, in seconds or as a span.", (30, _FIVE_MINUTES)
    ),
    "retry_exponential_backoff": Key(_ANYTHING, "Whether the wait grows with each try.", (True,)),
    "run_as_user": Key(_ANYTHING, "The user of the worker's machine that it runs as.", ("fleet",)),
    "trigger_rule": Key(
        _ANYTHING, "How those before it must have ended.", ("all_success", "all_done")
    ),
    "wait_for_downstream": Key(
        _ANYTHING, "Whether it waits for those after it in the run before.", (True,)
    ),
    "weight_rule": Key(_ANYTHING, "How its priority is reckoned.", ("downstream",)),
}
"""What all tasks take, at a task or below `default_args`; operators take more."""

DEFAULT_ARGS: Mapping[str, Key] = {
    **TASK_OPTIONS,
    **{name: DAG_KEYS[name] for name in ("end_date", "start_date", "timezone")},
}
"""What is known below `default_args`."""

TASK_KEYS: Mapping[str, Key] = {
    **TASK_OPTIONS,
    "decorator": Key(
        _PATH, "In place of `operator`: what makes a task of a function.", ("airflow.sdk.task",)
    ),
    "dependencies": Key(_NAMES, "The tasks and groups that it waits for.", (["sweep"],)),
    "end_date": Key(_ANYTHING, "After which date it no longer runs.", (_ONE_MADE,)),
    "execution_date_fn": Key(
        _ANYTHING, "The function that says which run a sensor waits for.", ("fleet.days.before",)
    ),
    "execution_delta": Key(
        _ANYTHING, "How long before its own run is the one that a sensor waits for.", ("1 day",)
    ),
    "expand": Key(
        _ARGUMENTS,
        "Arguments with a value for each instance of the task.",
        ({"bash_command": ["date", "id"]},),
    ),
    "inlets": Key(
        _ASSETS, "Assets that it reads, for Airflow to show.", (["s3://bucket/file.csv"],)
    ),
    "operator": Key(
        _PATH,
        "What it does: a class, by dotted path.",
        ("airflow.providers.standard.operators.bash.BashOperator",),
    ),
    "outlets": Key(
        _ASSETS, "Assets that it changes: those who wait for them run.", (["mailed_report"],)
    ),
    "partial": Key(
        _ARGUMENTS,
        "Arguments that all instances have; for tasks with `expand`.",
        ({"cwd": "data"},),
    ),
    "python_callable": Key(
        _ANYTHING, "The function that it calls, by dotted path.", ("fleet.alarms.ring",)
    ),
    "start_date": Key(_ANYTHING, "The date of its first run.", (_ONE_MADE,)),
    "task_group_name": Key(_NAME, "The group that it is of.", ("tools",)),
    "task_id": Key(_ANYTHING, "Its name, where `tasks` is a list.", ("sweep",)),
    "variables_as_arguments": Key(
        _VARIABLES,
        "Airflow variables that become arguments.",
        ([{"variable": "hold", "attribute": "env"}],),
    ),
}
"""What dag-factory and Airflow know of tasks; operators take more."""

GROUP_KEYS: Mapping[str, Key] = {
    "add_suffix_on_collision": Key(
        _TRUTH.or_none(), "Whether it gets another name where its own is taken.", (True,)
    ),
    "default_args": Key(
        _MAPPING, "What all tasks of the group have, unless they say otherwise.", ({"retries": 2},)
    ),
    "dependencies": Key(_NAMES, "The tasks and groups that it waits for.", (["sweep"],)),
    "doc_md": Key(_TEXT.or_none(), "What it is, in Markdown.", ("# Tools",)),
    "group_display_name": Key(_TEXT.or_none(), "What Airflow shows as its name.", ("All tools",)),
    "parent_group_name": Key(_NAME, "The group that it lies within.", ("tools",)),
    "prefix_group_id": Key(
        _TRUTH.or_none(), "Whether the ids of its tasks start with its name.", (False,)
    ),
    "tooltip": Key(_TEXT.or_none(), "What Airflow shows where the pointer is.", ("What cleans",)),
    "ui_color": Key(_TEXT.or_none(), "The color of its box.", ("CornflowerBlue",)),
    "ui_fgcolor": Key(_TEXT.or_none(), "The color of its words.", ("#000",)),
}
"""The keys of a task group; Airflow stores anything there, and cannot read all of it back."""

NAME_OF_GROUP = Key(_ANYTHING, "Its name, where `task_groups` is a list.", ("tools",))
