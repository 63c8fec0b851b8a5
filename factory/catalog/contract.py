"""What a dataset promises its readers: columns, types, checks, and who may read it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from factory.base.answers import UnansweredError, answers
from factory.catalog.contract_questions import columns_question
from factory.catalog.linking import Catalog
from factory.catalog.published import Published
from factory.data.checks.check import Check
from factory.data.column_types import Types
from factory.data.dataset import Dataset
from factory.team.questions import kept_answers
from factory.team.schedule import Schedule


@dataclass(frozen=True)
class Contract:
    """What one dataset promises."""

    dataset: str
    """Its full name."""
    description: str
    owner: str
    columns: Types | None
    """Each column's type, None where only a run tells it; None where only a run tells the columns."""
    is_declared: bool
    """Whether the columns are written in the file, and do not only follow from it."""
    checks: tuple[Check, ...]
    keys: tuple[str, ...]
    """The columns that identify a row, where they are written."""
    share_with: tuple[str, ...] | Literal["*"]
    when: Schedule
    """When it is made anew."""


def contract_of(catalog: Catalog, dataset: str, columns: Types | None) -> Contract:
    """The contract of a dataset that the catalog has.

    Args:
        catalog: All teams.
        dataset: Its full name.
        columns: As `columns_of` says them.
    """
    found = catalog.datasets[dataset]
    section = found.section
    return Contract(
        dataset=dataset,
        description=section.description,
        owner=found.team.team.owner,
        columns=columns,
        is_declared=isinstance(section, Dataset) and section.columns is not None,
        checks=section.checks,
        keys=section.write.keys,
        share_with=section.share_with,
        when=_when(found),
    )


def _when(found: Published) -> Schedule:
    if isinstance(found.section, Dataset):
        return found.section.when
    return found.section.when(str(found.path[1]))


def columns_of(
    catalog: Catalog, datasets: Iterable[str], project: Path
) -> Mapping[str, Types | None]:
    """The columns of datasets and their types, as far as team files tell: declared, or by what DuckDB says of SQL.

    Args:
        catalog: All teams.
        datasets: Full names of datasets that the catalog has.
        project: The project's folder, which keeps answers.
    """
    names = list(datasets)
    asked = [columns_question(catalog, name) for name in names]
    found = answers(asked, kept_answers(project))
    return {
        name: None if isinstance(answer, UnansweredError) else answer[0]["columns"]
        for name, answer in zip(names, found, strict=True)
    }
