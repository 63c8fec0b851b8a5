"""The JSON schema of a DAG in plain dag-factory format, for editors.

It refuses nothing that `factory validate` lets through. What operators take is known to Airflow alone.
"""

from collections.abc import Mapping
from typing import Any

from factory.team.own_keys import (
    BY_FILE,
    DAG_KEYS,
    DEFAULT_ARGS,
    GROUP_KEYS,
    IGNORED,
    NAME_OF_GROUP,
    TASK_KEYS,
    Key,
)

Schema = dict[str, Any]

DAG, TASK, _GROUP, _OPTIONS = "OwnDag", "OwnTask", "OwnTaskGroup", "OwnDefaultArgs"


def own_sections() -> dict[str, Schema]:
    """The schemas of a DAG, named `DAG`, of its tasks, named `TASK`, and of the sections below it."""
    old = {name: _deprecated(f"Changes nothing: {why}.") for name, why in IGNORED.items()}
    refused = (
        "dag-factory finds a function in a file by it; name the function itself, in a package."
    )
    by_file = {name: _deprecated(refused) for name in sorted(BY_FILE)}
    dag = _section("A DAG in plain dag-factory format.", DAG_KEYS, is_open=False)
    dag["properties"] = {**dag["properties"], **old, **by_file}
    group = _section(
        "A group of tasks.", {**GROUP_KEYS, "group_name": NAME_OF_GROUP}, is_open=False
    )
    for section in (dag, group):
        section["properties"]["default_args"]["$ref"] = _reference(_OPTIONS)
    dag["properties"]["tasks"]["anyOf"] = _by_name_or_listed(TASK, "task_id")
    dag["properties"]["task_groups"]["anyOf"] = _by_name_or_listed(_GROUP, "group_name")
    return {
        DAG: dag,
        TASK: _section("A task: its operator's arguments, and what all tasks take.", TASK_KEYS),
        _GROUP: group,
        _OPTIONS: _section("What tasks have unless they say otherwise.", DEFAULT_ARGS),
    }


def _section(about: str, keys: Mapping[str, Key], *, is_open: bool = True) -> Schema:
    return {
        "type": "object",
        "description": about,
        "properties": {name: _as_schema(key) for name, key in keys.items()},
        "additionalProperties": is_open,
    }


def _as_schema(key: Key) -> Schema:
    return {**key.form.schema, "description": key.about, "examples": list(key.examples)}


def _deprecated(about: str) -> Schema:
    return {"description": about, "deprecated": True}


def _by_name_or_listed(section: str, name: str) -> list[Schema]:
    each = {"$ref": _reference(section)}
    return [
        {"type": "object", "additionalProperties": each},
        {"type": "array", "items": {**each, "required": [name]}},
        {"type": "null"},
    ]


def _reference(section: str) -> str:
    return f"#/$defs/{section}"
