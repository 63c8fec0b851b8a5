"""Sentences about a dataset or a model, each with the place in the team file that says so."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from factory.base.findings import KeyPath
from factory.base.secrets import without_secrets
from factory.base.section import Section
from factory.base.texts import one_of, shortened
from factory.catalog.linking import Catalog
from factory.data.checks.check import Check

_LONGEST = 160
"""Characters that are shown of what a team has written."""


@dataclass(frozen=True)
class Sentence:
    """One thing that holds."""

    about: str
    """The heading that it stands below, such as `When it runs`."""
    text: str
    path: KeyPath
    """Where it is written in the file of `team`, if it is written."""
    team: str | None = None
    """The team whose file says it; None for that of the dataset or model."""


def in_brief(section: Section, *left_out: str) -> str:
    """A section of a kind in one line: the kind, and what else is written, as in YAML's short form."""
    plain = section.model_dump(mode="json", exclude_defaults=True)
    kind = plain.pop("type", "")
    written = [f"{key}: {flow(value)}" for key, value in plain.items() if key not in left_out]
    text = shortened(", ".join(written), _LONGEST)
    return without_secrets(f"{kind} ({text})" if kind and text else kind or text)


def flow(value: Any) -> str:
    """A value as YAML's short form writes it, in one line."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {flow(one)}' for key, one in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(flow, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    return "null" if value is None else " ".join(str(value).split())


def of_after(tasks: Mapping[str, object], path: KeyPath) -> Iterator[Sentence]:
    """What a section says of tasks of the team's own."""
    if tasks:
        yield Sentence("What follows", f"tasks of the team's own: {one_of(tasks)}", path)


def of_checks(checks: Sequence[Check], path: KeyPath) -> Iterator[Sentence]:
    """What must be true of rows before they are published, and what happens where it is not."""
    for index, check in enumerate(checks):
        then = "nothing is published" if check.on_fail == "halt" else "only the log says so"
        text = f"{shortened(check.describe(), _LONGEST)}: where it fails, {then}"
        yield Sentence("What is checked", text, (*path, index))
    if not checks:
        yield Sentence("What is checked", "no check is written", path)


def of_readers(catalog: Catalog, full_name: str, path: KeyPath) -> Iterator[Sentence]:
    """Who reads a dataset, or is started by a model; each says so in its own team's file.

    Args:
        catalog: All teams.
        full_name: What is read.
        path: Where readers would be allowed, for when there is none.
    """
    found = catalog.consumers.get(full_name, ())
    for one in found:
        verb = "runs after it" if one.role == "starts" else "reads it"
        if one.watches:
            verb = "is watched with it"
        elif one.role == "reads" and one.path[2:3] == ("train_on",):
            verb = "learns from it"
        yield Sentence("Who reads it", f"{one.full_name} {verb}", one.path, one.team)
    if not found:
        yield Sentence("Who reads it", "nobody", path)
