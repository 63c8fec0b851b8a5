"""Sections that stand a level too far right, and are taken for a dataset or a model there."""

from collections.abc import Iterator
from typing import Any

from factory.base.findings import Finding, KeyPath

OF_ONES_OWN = {
    "datasets": frozenset(("source",)),
    "models": frozenset(("task", "train_on", "target", "search", "objective")),
}
"""Keys by which a mapping is a dataset or a model."""

_SECTIONS = ("datasets", "models", "dags", "environments", "defaults", "notify")


def misplaced_sections(value: dict[str, Any]) -> Iterator[tuple[KeyPath, Finding]]:
    """What to say of each section of the file that stands within another one."""
    for section, own in OF_ONES_OWN.items():
        items = value.get(section)
        for name, item in items.items() if isinstance(items, dict) else ():
            if name not in _SECTIONS or (isinstance(item, dict) and own & item.keys()):
                continue
            path = (section, name)
            message = f"`{name}` stands within `{section}`, as if a {section[:-1]} were called so"
            suggestion = "indent it, and what belongs to it, as far as the sections around it"
            yield path, Finding("indentation", path, message, suggestion, on_key=True)


def meant_section(value: object) -> str | None:
    """The section that a mapping looks like a part of."""
    if not isinstance(value, dict):
        return None
    return next((name for name, own in OF_ONES_OWN.items() if own & value.keys()), None)
