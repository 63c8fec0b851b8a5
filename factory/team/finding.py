"""Findings: problems by path, before they are located in a file."""

from dataclasses import dataclass

from factory.team.yaml_tree import KeyPath


@dataclass(frozen=True)
class Finding:
    """Something wrong with the value at a path, or with the key there."""

    path: KeyPath
    message: str
    suggestion: str | None = None
    on_key: bool = False
