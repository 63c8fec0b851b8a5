"""`after`: tasks of a team's own, in plain dag-factory format, with which a dataset's or a model's DAG ends.

What holds for the section `dags` holds for them: they are looked at as a DAG that has nothing but them.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Annotated, Any

from pydantic import Field
from pydantic_core import PydanticCustomError

from factory.base.findings import Finding, KeyPath
from factory.base.rules import Broken
from factory.base.section import Name

AfterTasks = Annotated[
    dict[Name, Any],
    Field(
        default_factory=dict,
        examples=[
            {
                "export": {
                    "operator": "airflow.providers.standard.operators.bash.BashOperator",
                    "bash_command": "make-report",
                }
            }
        ],
    ),
]

OF_DATASETS = frozenset(
    (
        *("make_bucket", "open_workspace", "wait", "inputs", "ingest", "transform", "load"),
        *("check", "after_check", "publish", "close_workspace"),
    )
)
"""The tasks of a dataset's DAG, whose names no other task may have."""
OF_TRAININGS = frozenset(
    (
        *(f"{name}_{wave}" for name in ("plan_trials", "trial") for wave in range(2, 11)),
        *("make_bucket", "open_workspace", "inputs", "retrain", "split", "plan_trials"),
        *(
            "start_training",
            "trial",
            "stop_training",
            "select_best",
            "refit",
            "test",
            "register",
            "gate",
        ),
        *("approve", "promote", "keep_champion", "close_workspace"),
    )
)
"""The same of a training DAG."""
OF_RESOURCES = ("create_", "destroy_")
"""What the names of the tasks around a resource begin with."""

_SECTIONS = ("datasets", "models")


def after_sections(team: Mapping[str, Any]) -> Iterator[tuple[KeyPath, dict[str, Any]]]:
    """The mappings `after` of a team's value, as it was read from YAML, each with the way to its dataset or model."""
    for key in _SECTIONS:
        sections = team.get(key)
        for name, section in sections.items() if isinstance(sections, dict) else ():
            tasks = section.get("after") if isinstance(section, dict) else None
            if isinstance(tasks, dict):
                yield (key, name), tasks


def looked_at_as_dags(
    team: Mapping[str, Any], check: Callable[[dict[str, Any]], Iterator[Finding]]
) -> Iterator[Finding]:
    """What a check of the section `dags` finds in the tasks of `after`."""
    for path, tasks in after_sections(team):
        for finding in check({str(path[-1]): as_dag(tasks)}):
            yield replace(finding, path=in_section(path, finding.path[2:]))


def as_dag(tasks: Mapping[str, Any]) -> dict[str, Any]:
    """A DAG that has nothing but these tasks."""
    return {"tasks": dict(tasks)}


def in_section(section: KeyPath, path: KeyPath) -> KeyPath:
    """Where in a dataset or model something stands that a DAG made of its `after` has at a path."""
    return (*section, "after", *path[1:])


def is_below_after(path: KeyPath) -> bool:
    """Whether a path, of a team's file or of an overlay in it, leads into such a task."""
    return path[:1] in (("datasets",), ("models",)) and path[2:3] == ("after",)


def check_names(tasks: Mapping[str, object], taken: frozenset[str]) -> Broken:
    """Tasks that are called as a task is that the DAG has anyway."""
    for name in tasks:
        if name in taken or name.startswith(OF_RESOURCES):
            advice = f"give it another name, such as `own_{name}`"
            yield PydanticCustomError(
                "task_name",
                "the DAG has a task `{name}` of its own, or may have one",
                {"name": name, "advice": advice, "at": ("after", name), "on_key": True},
            )
