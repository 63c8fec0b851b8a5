"""The JSON schema of a team file: for editors, which complete and check by it."""

from typing import Any

from factory.kinds import json_schema
from factory.team.reader import PlatformFile
from factory.team.team import TeamConfig


def team_schema(platform: PlatformFile) -> dict[str, Any]:
    """The schema of the team files of a project, with the kinds of its plug-ins.

    It knows types, keys and words. Links, files and columns are what `factory validate` checks.
    """
    schema = json_schema(TeamConfig, platform.config.plugins)
    schema["title"] = "Team file"
    sections = schema["$defs"]
    for section, name in (("datasets", "Dataset"), ("models", "Model")):
        inherited = getattr(platform.config, section)
        # What `_defaults.yaml` says need not stand in the team's file.
        sections[name]["required"] = [
            key for key in sections[name]["required"] if key not in inherited
        ]
    schema["properties"]["environments"] = {
        "type": "object",
        "description": "What differs in an environment, by its name: laid over the rest of the file.",
        "additionalProperties": {"type": ["object", "null"]},
    }
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
