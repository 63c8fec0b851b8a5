"""The tasks and groups of a DAG in plain dag-factory format, in either form: a mapping, or a list."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from factory.base.findings import KeyPath


def mappings_of(section: object, path: KeyPath) -> Iterator[tuple[KeyPath, dict[str, Any]]]:
    """Each task or group of either form, a mapping or a list, with the way to it."""
    items: Iterator[tuple[Any, Any]] = iter(())
    if isinstance(section, dict):
        items = iter(section.items())
    elif isinstance(section, list):
        items = iter(enumerate(section))
    yield from (((*path, key), value) for key, value in items if isinstance(value, dict))


@dataclass(frozen=True)
class Entry:
    """A task or a group."""

    name: str
    path: KeyPath
    written: Mapping[str, Any]

    @property
    def dependencies(self) -> tuple[str, ...]:
        """The names of what it waits for."""
        return tuple(name for _, name in self.numbered_dependencies)

    @property
    def numbered_dependencies(self) -> tuple[tuple[int, str], ...]:
        """The same, each with its place in the list."""
        found = self.written.get("dependencies")
        numbered = enumerate(found if isinstance(found, list) else ())
        return tuple((index, name) for index, name in numbered if isinstance(name, str))


def entries(section: object, path: KeyPath, key: str) -> dict[str, Entry]:
    """The tasks or groups that have a name, by it.

    Args:
        section: `tasks` or `task_groups`, as a mapping or as a list.
        path: The way to it.
        key: What names an item of a list: `task_id` or `group_name`.
    """
    found: dict[str, Entry] = {}
    for at, written in mappings_of(section, path):
        name = written.get(key) if isinstance(section, list) else at[-1]
        if isinstance(name, str):
            found.setdefault(name, Entry(name, at, written))
    return found


def parent_of(group: Entry, groups: Mapping[str, Entry]) -> str | None:
    """The name of the group that a group lies within, if there is such a group."""
    name = group.written.get("parent_group_name")
    return name if isinstance(name, str) and name in groups else None
