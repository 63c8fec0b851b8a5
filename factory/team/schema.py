"""The JSON schemas of team files and of `_defaults.yaml`: for editors, which complete and check by them."""

from collections.abc import Iterator, Mapping
from typing import Any

from factory.kinds import json_schema
from factory.team.bases import EXTENDS
from factory.team.for_each import FOR_EACH
from factory.team.overlays import OVERLAYS
from factory.team.own_schema import DAG, TASK, own_sections
from factory.team.reader import PlatformFile
from factory.team.team import PlatformConfig, TeamConfig

Schema = dict[str, Any]

_DEFINITIONS = "#/$defs/"
_OVERLAY = "Overlay"
_PART = "InPart"
"""What the name of a section ends with that lies over or under another one, and so may miss keys."""
_WRITTEN_ONCE = {
    EXTENDS: {
        "type": "string",
        "description": "A file of fields that this lies over: `configs/_bases/<name>.yaml`.",
        "examples": ["boosted_trees"],
    },
    FOR_EACH: {
        "type": ["object", "array"],
        "description": "Values of which each combination makes one of these: `${name}` stands for a value, in the name too.",
        "examples": [{"region": ["north", "south"]}, [{"region": "north", "code": 1}]],
    },
}
"""Keys of datasets and models that are carried out before these are read."""
_LAID_UNDER = {
    "defaults": "Defaults",
    "notify": "Notify",
    "datasets": "Dataset",
    "models": "Model",
}
"""Keys of `_defaults.yaml`, and the sections of team files that their values are laid under."""


def team_schema(platform: PlatformFile) -> Schema:
    """The schema of the team files of a project, with the kinds of its plug-ins.

    It knows types, keys and words. Links, files and columns are what `factory validate` checks.
    """
    schema = json_schema(TeamConfig, platform.config.plugins)
    for key in ("datasets", "models"):
        section = _LAID_UNDER[key]
        _lay_over(schema["$defs"][section], getattr(platform.config, key))
        schema["properties"][key]["additionalProperties"] = _written_once(
            section, schema["$defs"][section]
        )
        schema["$defs"][section]["properties"]["after"]["additionalProperties"] = _reference(TASK)
    schema["$defs"] |= own_sections()
    schema["properties"]["dags"]["additionalProperties"] = _reference(DAG)
    return _finished(schema, "Team file")


def defaults_schema(platform: PlatformFile) -> Schema:
    """The schema of the project's `_defaults.yaml`, with the kinds of its plug-ins."""
    plugins = platform.config.plugins
    schema = json_schema(PlatformConfig, plugins)
    schema["$defs"] |= json_schema(TeamConfig, plugins)["$defs"]
    for key, section in _LAID_UNDER.items():
        written = schema["properties"][key]
        about = {word: written[word] for word in ("description", "examples") if word in written}
        schema["properties"][key] = {**about, "$ref": f"{_DEFINITIONS}{section}{_PART}"}
    return _finished(schema, "What holds for every team")


def _written_once(name: str, section: Schema) -> Schema:
    """A section's schema where it may extend a base, or be made for several values."""
    section["properties"] |= _WRITTEN_ONCE
    about = {
        key: {"description": value["description"]} if "description" in value else {}
        for key, value in section["properties"].items()
    }
    # What its texts are is known when they are filled in.
    made = {"type": "object", "additionalProperties": False, "properties": about | _WRITTEN_ONCE}
    based = {
        "if": {"required": [EXTENDS]},
        "then": _reference(f"{name}{_PART}"),
        "else": _reference(name),
    }
    return {"if": {"required": [FOR_EACH]}, "then": made, "else": based}


def _lay_over(section: Schema, inherited: Mapping[str, Any]) -> None:
    """Let a section miss what it has from `_defaults.yaml`."""
    section["required"] = [key for key in section["required"] if key not in inherited]
    properties = section["properties"]
    for key, value in inherited.items():
        if key in properties and isinstance(value, dict):
            properties[key] = _in_part(properties[key])


def _finished(schema: Schema, title: str) -> Schema:
    """A file's schema with its overlays, and with those sections alone that it comes to."""
    overlay = {**_in_part(schema), "title": "What differs in an environment"}
    sections = {**schema["$defs"], _OVERLAY: {k: v for k, v in overlay.items() if k != "$defs"}}
    schema["properties"][OVERLAYS] = {
        "type": "object",
        "description": "What differs in an environment, by its name: laid over the rest of the file.",
        "examples": [{"prod": {"defaults": {"retries": 3}}}],
        "additionalProperties": {"anyOf": [_reference(_OVERLAY), {"type": "null"}]},
    }
    del schema["$defs"]
    found: dict[str, Schema] = {}
    waiting = set(_references(schema))
    while waiting:
        name = waiting.pop()
        whole = name.removesuffix(_PART)
        found[name] = sections[name] if name == whole else _in_part(sections[whole])
        waiting |= set(_references(found[name])) - found.keys()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": title,
        "$defs": dict(sorted(found.items())),
    }


def _in_part(schema: Schema) -> Schema:
    """The same without what must be there, in the section and in those below it.

    Lists are never laid over each other: their items miss nothing.
    """
    part = {key: value for key, value in schema.items() if key not in ("required", "discriminator")}
    if "properties" in part:
        part["properties"] = {key: _in_part(value) for key, value in part["properties"].items()}
    if isinstance(part.get("additionalProperties"), dict):
        part["additionalProperties"] = _in_part(part["additionalProperties"])
    for branch in ("then", "else"):
        if isinstance(part.get(branch), dict):
            part[branch] = _in_part(part[branch])
    # Without the key that says the kind, a section may be of several.
    for alternatives in ("anyOf", "oneOf"):
        if alternatives in part:
            part["anyOf"] = [_in_part(each) for each in part.pop(alternatives)]
    if "$ref" in part:
        part["$ref"] = part["$ref"].removesuffix(_PART) + _PART
    return part


def _reference(section: str) -> Schema:
    return {"$ref": f"{_DEFINITIONS}{section}"}


def _references(schema: object) -> Iterator[str]:
    """The names of the sections that a schema refers to."""
    if isinstance(schema, dict):
        if isinstance(schema.get("$ref"), str):
            yield schema["$ref"].removeprefix(_DEFINITIONS)
        for value in schema.values():
            yield from _references(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _references(value)
