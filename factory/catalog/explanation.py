"""A dataset or a model in words, each sentence with the line that says so."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from factory.base.errors import FactoryError
from factory.base.texts import did_you_mean, one_of
from factory.catalog.dataset_sentences import of_published
from factory.catalog.linking import Catalog
from factory.catalog.model_sentences import of_model
from factory.catalog.sentence import Sentence

BY_DEFAULT = "by default"
"""The place of what no file says."""


class NothingOfThisNameError(FactoryError):
    """No team whose file can be read has a dataset or a model of this name."""


@dataclass(frozen=True)
class Line:
    """A sentence, and where it is said."""

    about: str
    text: str
    place: str
    """`configs/marine.yaml:12`, relative to the project's folder; else `by default`."""


@dataclass(frozen=True)
class Explanation:
    """All that is to be said about a dataset or a model."""

    name: str
    kind: Literal["dataset", "model"]
    lines: tuple[Line, ...]
    """Those of one heading stand together."""


def explain(catalog: Catalog, name: str, project: Path) -> Explanation:
    """A dataset or a model in words.

    Args:
        catalog: All teams.
        name: Its full name, `team.name`.
        project: The folder that places are relative to.

    Raises:
        NothingOfThisNameError: There is none.
    """
    kind, sentences = _sentences(catalog, name)
    team = name.partition(".")[0]
    found = [Line(one.about, one.text, _place(catalog, team, one, project)) for one in sentences]
    headings = list(dict.fromkeys(line.about for line in found))
    return Explanation(
        name, kind, tuple(sorted(found, key=lambda line: headings.index(line.about)))
    )


def _sentences(
    catalog: Catalog, name: str
) -> tuple[Literal["dataset", "model"], Iterator[Sentence]]:
    if name in catalog.datasets:
        return "dataset", of_published(catalog, catalog.datasets[name])
    team, _, own = name.partition(".")
    file = catalog.teams.get(team)
    if file is not None and own in file.team.models:
        return "model", of_model(catalog, file, own)
    models = (f"{one.name}.{model}" for one in catalog.teams.values() for model in one.team.models)
    known = sorted({*catalog.datasets, *models})
    why = ""
    if team in catalog.unreadable:
        why = f"the file of team `{team}` has problems: `factory validate` lists them; "
    near = did_you_mean(name, known, f"there are {one_of(known, 10) or 'none'}")
    raise NothingOfThisNameError(f"there is no dataset or model `{name}`: {why}{near}")


def _place(catalog: Catalog, team: str, sentence: Sentence, project: Path) -> str:
    place = catalog.teams[sentence.team or team].layers.place(sentence.path)
    if place is None:
        return BY_DEFAULT
    file, line = place
    return f"{os.path.relpath(file, project)}:{line}"
