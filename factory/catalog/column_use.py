"""Who reads which columns of a dataset.

Of what a file names, such as a model's features, it is known by name. Of SQL it is known by leaving a column out:
where DuckDB then finds fault with the query that it did not find before, or the query's result lacks a column, the
query uses it.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from factory.base.answers import UnansweredError, answers
from factory.base.section import qualify
from factory.catalog.contract_questions import ANSWERS, Chains
from factory.catalog.contracts import needed_columns
from factory.catalog.linking import Catalog
from factory.data.column_types import Types
from factory.team.questions import kept_answers
from factory.team.references import Reference


@dataclass(frozen=True)
class Reader:
    """A dataset or model that reads a dataset."""

    name: str
    """Its full name."""
    team: str
    uses: frozenset[str]
    """Those of the columns asked about that it uses."""
    unknown: frozenset[str] = frozenset()
    """Those of which nobody can know, such as where Python reads the rows."""

    def may_use(self, columns: Collection[str]) -> bool:
        """Whether it uses one of some columns, as far as can be known; with none of them, all rows are meant."""
        return not columns or not (self.uses | self.unknown).isdisjoint(columns)


@dataclass(frozen=True)
class _Chain:
    """What becomes of the rows in a reader."""

    chain: dict[str, Any]
    needed: frozenset[str] | None
    """The columns that it needs of what its transforms make; None for all."""


def readers(
    catalog: Catalog, dataset: str, columns: Types | None, asked: Collection[str], project: Path
) -> tuple[Reader, ...]:
    """Who reads a dataset, and which of some of its columns.

    Args:
        catalog: All teams.
        dataset: Its full name.
        columns: Its columns, of which some may be going; None where only a run tells them.
        asked: The columns that are meant.
        project: The project's folder, which keeps answers.
    """
    found: dict[str, Reader] = {}
    for reference in catalog.consumers.get(dataset, ()):
        if reference.role != "reads":
            continue
        one = _reader(catalog, reference, columns, sorted(asked), project)
        known = found.get(one.name, one)
        uses = known.uses | one.uses
        unknown = (known.unknown | one.unknown) - uses
        found[one.name] = Reader(one.name, one.team, uses, unknown)
    return tuple(found.values())


def _reader(
    catalog: Catalog,
    reference: Reference,
    columns: Types | None,
    asked: Sequence[str],
    project: Path,
) -> Reader:
    chain = _chain(catalog, reference)
    if not isinstance(chain, _Chain):
        return Reader(reference.full_name, reference.team, chain & frozenset(asked))
    if columns is None:
        # What a name means in SQL cannot be told; rows that come as they are have the names of the dataset.
        is_plain = not chain.chain["steps"] and chain.chain["from"] == reference.dataset
        meant = frozenset(asked) if chain.needed is None else chain.needed & frozenset(asked)
        if is_plain:
            return Reader(reference.full_name, reference.team, meant)
        return Reader(reference.full_name, reference.team, frozenset(), frozenset(asked))
    datasets = Chains(catalog).read_by([chain.chain])
    whole, *without = _bound(chain, datasets, reference.dataset, columns, asked, project)
    uses = {name for name, one in zip(asked, without, strict=True) if _is_needed(whole, one, chain)}
    is_known = whole is not None and whole["made"] is not None
    unknown = frozenset() if is_known else frozenset(asked) - uses
    return Reader(reference.full_name, reference.team, frozenset(uses), unknown)


def _bound(
    chain: _Chain,
    datasets: dict[str, Any],
    dataset: str,
    columns: Types,
    asked: Iterable[str],
    project: Path,
) -> list[Any]:
    """What becomes of a reader's rows with all columns, and without one after the other; None where nobody answers."""
    given = [columns, *({n: t for n, t in columns.items() if n != one} for one in asked)]
    questions: list[tuple[str, Any]] = []
    for one in given:
        read = {**datasets, dataset: Chains.of_columns(one)}
        questions.append((ANSWERS, {"datasets": read, "chains": [chain.chain]}))
    found = answers(questions, kept_answers(project))
    return [None if isinstance(one, UnansweredError) else one[0] for one in found]


def _is_needed(whole: Any, without: Any, chain: _Chain) -> bool:
    if whole is None or without is None:
        return False
    if _faults(without) > _faults(whole):
        return True
    if whole["made"] is None:
        return False
    lost = set(whole["made"]) - set(without["made"] or ())
    return bool(lost if chain.needed is None else lost & chain.needed)


def _faults(bound: Mapping[str, Any]) -> int:
    return sum(map(len, (*bound["steps"], *bound["conditions"])))


def _chain(catalog: Catalog, reference: Reference) -> _Chain | frozenset[str]:
    """What becomes of the rows in a reader; or just the columns that it names, where that is all it uses."""
    file, chains, name = catalog.teams[reference.team], Chains(catalog), reference.name
    path = (reference.section, name)
    if reference.section == "datasets":
        dataset = file.team.datasets[name]
        if "checks" in reference.path and (named := _of_check(dataset.checks, reference)):
            return named
        return _Chain(chains.of_dataset(file, path, dataset), None)
    model = file.team.models[name]
    learned = frozenset(column for _, column in needed_columns(model))
    learns_from_all = model.features is None and model.image_column is None
    features = None if learns_from_all and model.forecast is None else learned
    if reference.watches:
        truth = model.monitor.truth if model.monitor is not None else None
        if truth is not None and "truth" in reference.path:
            compared = (truth.column,) if truth.column else model.target_columns
            return frozenset((*truth.keys, *compared))
        return _Chain(chains.of_model(file, path, model)[0], features)
    if reference.output is None or model.predict is None:
        return _Chain(chains.of_model(file, path, model)[0], features)
    if "checks" in reference.path and (named := _of_check(model.predict.checks, reference)):
        return named
    # A forecast is of the target's own history.
    lacks = set(model.target_columns) if model.forecast is None else set()
    needed = None if features is None else (features - lacks) | {*model.predict.keep}
    return _Chain(chains.of_predictions(file, path, model, model.predict), needed)


def _of_check(checks: Sequence[Any], reference: Reference) -> frozenset[str]:
    """The columns of another dataset that a check names."""
    check = checks[int(reference.path[reference.path.index("checks") + 1])]
    return frozenset(
        column
        for dataset, column in check.referred_columns().values()
        if qualify(dataset, reference.team) == reference.dataset
    )
