"""All teams together: who publishes what, who reads it, and whether the links hold.

A problem belongs to the team that refers, and only that team's DAGs are withheld. Where a producer's
file is broken, its consumers stay healthy: they keep their DAGs, and just see no new snapshots until
the file is mended. So a reference to a team whose file is broken is not looked at.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from factory.config.dataset import Dataset
from factory.config.model import Model
from factory.config.problems import Problem, closest, did_you_mean, in_order, one_of
from factory.config.reader import TeamFile
from factory.config.references import Reference, references
from factory.config.schedule import PRESETS
from factory.config.yaml_tree import KeyPath


@dataclass(frozen=True)
class Published:
    """A dataset and the team that publishes it."""

    team: TeamFile
    name: str
    dataset: Dataset

    def is_shared_with(self, team: str) -> bool:
        """Whether a team may read it: its own team always, others when it says so."""
        shared = self.dataset.share_with
        return team == self.team.name or shared == "*" or team in shared


@dataclass(frozen=True)
class Catalog:
    """What all teams publish and read."""

    teams: Mapping[str, TeamFile]
    """Every team whose file could be read, whether its links hold or not."""
    unreadable: frozenset[str]
    """Teams that have a file, but a broken one."""
    datasets: Mapping[str, Published]
    """By full name, `team.dataset`."""
    consumers: Mapping[str, tuple[Reference, ...]]
    """By a dataset's full name: what refers to it."""

    @classmethod
    def of(
        cls, teams: Mapping[str, TeamFile], unreadable: frozenset[str] = frozenset()
    ) -> "Catalog":
        """The catalog of these teams."""
        datasets = {
            f"{team.name}.{name}": Published(team, name, dataset)
            for team in teams.values()
            for name, dataset in team.team.datasets.items()
        }
        consumers: dict[str, list[Reference]] = {}
        for team in teams.values():
            for reference in references(team.team):
                consumers.setdefault(reference.dataset, []).append(reference)
        by_dataset = {name: tuple(found) for name, found in consumers.items()}
        return cls(teams, unreadable, datasets, by_dataset)

    @property
    def references(self) -> Iterator[Reference]:
        """Every reference of every team."""
        for found in self.consumers.values():
            yield from found

    def problems(self) -> dict[str, list[Problem]]:
        """What is wrong with the links, by the team whose file has to change."""
        found: dict[str, list[Problem]] = {}
        for team, problem in self._problems():
            found.setdefault(team, []).append(problem)
        return {team: in_order(problems) for team, problems in sorted(found.items())}

    def _problems(self) -> Iterator[tuple[str, Problem]]:
        for reference in self.references:
            for problem in _check_reference(self, reference):
                yield reference.team, problem
        for team, problem in _check_cycles(self):
            yield team, problem
        for name, file in self.teams.items():
            for problem in _check_team(self, file):
                yield name, problem


def _check_team(catalog: Catalog, team: TeamFile) -> Iterator[Problem]:
    yield from _check_names(team)
    yield from _check_columns(team)
    yield from _check_sharing(catalog, team)
    for name, model in team.team.models.items():
        yield from _check_model_columns(catalog, team, name, model)


def _check_reference(catalog: Catalog, reference: Reference) -> Iterator[Problem]:
    producer, name = reference.dataset.split(".")
    team = catalog.teams[reference.team]
    if producer in catalog.unreadable:
        return
    if producer not in catalog.teams:
        suggestion = did_you_mean(reference.dataset, catalog.datasets, _known_teams(catalog))
        yield team.problem(reference.path, f"there is no team `{producer}`", suggestion)
        return
    published = catalog.datasets.get(reference.dataset)
    if published is None:
        whose = "this team" if producer == team.name else f"team `{producer}`"
        message = f"{whose} publishes no dataset `{name}`"
        yield team.problem(reference.path, message, _suggest_dataset(catalog, team, producer, name))
    elif not published.is_shared_with(team.name):
        message = f"`{reference.dataset}` is not shared with team `{team.name}`"
        yield team.problem(reference.path, message, _how_to_share(published, team.name))


def _known_teams(catalog: Catalog) -> str:
    return f"known teams: {one_of(sorted({*catalog.teams, *catalog.unreadable}))}"


def _suggest_dataset(catalog: Catalog, team: TeamFile, producer: str, name: str) -> str:
    config = catalog.teams[producer].team
    if name in config.models:
        return f"`{name}` is a model; only datasets can be read"
    if f"@{name}" in PRESETS:
        return f'did you mean "@{name}"?'
    is_own = producer == team.name
    near = closest(name, config.datasets)
    if near:
        return f"did you mean `{near}`?" if is_own else f"did you mean `{producer}.{near}`?"
    elsewhere = [full for full in catalog.datasets if full.endswith(f".{name}")]
    if elsewhere:
        return f"did you mean `{elsewhere[0]}`?"
    return f"it publishes {one_of(sorted(config.datasets)) or 'nothing'}"


def _how_to_share(published: Published, team: str) -> str:
    file = published.team.path.name
    if published.dataset.share_with:
        return f"add `{team}` to `share_with` of `{published.name}` in {file}"
    return f"add `share_with: [{team}]` to `{published.name}` in {file}"


def _check_sharing(catalog: Catalog, team: TeamFile) -> Iterator[Problem]:
    known = {*catalog.teams, *catalog.unreadable}
    for name, dataset in team.team.datasets.items():
        for index, other in enumerate(dataset.share_with if dataset.share_with != "*" else ()):
            if other not in known:
                path = ("datasets", name, "share_with", index)
                suggestion = did_you_mean(other, known, _known_teams(catalog))
                yield team.problem(path, f"there is no team `{other}`", suggestion)


def _check_cycles(catalog: Catalog) -> Iterator[tuple[str, Problem]]:
    reads: dict[str, dict[str, Reference]] = {name: {} for name in sorted(catalog.datasets)}
    for reference in catalog.references:
        if reference.section == "datasets" and reference.dataset in reads:
            reads[reference.full_name].setdefault(reference.dataset, reference)
    for cycle in _cycles({name: set(read) for name, read in reads.items()}):
        ring = " → ".join((*cycle, cycle[0]))
        for dataset, reader in zip(cycle, (*cycle[1:], cycle[0]), strict=True):
            reference = reads[reader][dataset]
            message = f"these datasets wait for each other: {ring}"
            if len(cycle) == 1:
                message = f"`{dataset}` reads itself"
            problem = catalog.teams[reference.team].problem(
                reference.path, message, "take one of these links away"
            )
            yield reference.team, problem


def _cycles(reads: dict[str, set[str]]) -> Iterator[tuple[str, ...]]:
    """Cycles, each from a dataset to what reads it, until none is left."""
    while True:
        try:
            TopologicalSorter({name: sorted(read) for name, read in reads.items()}).prepare()
        except CycleError as error:
            ring: list[str] = error.args[1][:-1]
            first = ring.index(min(ring))
            cycle = (*ring[first:], *ring[:first])
            yield cycle
            for dataset, reader in zip(cycle, (*cycle[1:], cycle[0]), strict=True):
                reads[reader].discard(dataset)
        else:
            return


def _check_names(team: TeamFile) -> Iterator[Problem]:
    """Names are unique within a team: DAGs and registered models are called after them."""
    config = team.team
    taken = {**dict.fromkeys(config.models, "model"), **dict.fromkeys(config.datasets, "dataset")}
    seen = (("models", config.models, config.datasets), ("dags", config.dags, taken))
    for section, names, others in seen:
        for name in names:
            if name in others:
                message = f"the name `{name}` is taken: the team has a {taken[name]} `{name}`"
                yield team.problem((section, name), message, "give it another name", on_key=True)


def _check_columns(team: TeamFile) -> Iterator[Problem]:
    for name, dataset in team.team.datasets.items():
        if dataset.columns is None:
            continue
        for path, column in _own_columns(dataset):
            if column not in dataset.columns:
                yield _missing_column(
                    team, ("datasets", name, *path), column, name, dataset.columns
                )


def _own_columns(dataset: Dataset) -> Iterator[tuple[KeyPath, str]]:
    for index, key in enumerate(dataset.write.keys):
        yield ("write", "keys", index), key
    for index, check in enumerate(dataset.checks):
        column = getattr(check, "column", None)
        if column is not None:
            yield ("checks", index, "column"), column
        for position, name in enumerate(getattr(check, "columns", ())):
            yield ("checks", index, "columns", position), name


def _check_model_columns(
    catalog: Catalog, team: TeamFile, name: str, model: Model
) -> Iterator[Problem]:
    if model.transforms:
        return  # they may rename columns and make new ones
    for dataset in model.train_on.datasets:
        full_name = dataset if "." in dataset else f"{team.name}.{dataset}"
        published = catalog.datasets.get(full_name)
        if published is None or published.dataset.columns is None:
            continue
        for path, column in _needed_columns(model):
            if column not in published.dataset.columns:
                yield _missing_column(
                    team, ("models", name, *path), column, full_name, published.dataset.columns
                )


def _needed_columns(model: Model) -> Iterator[tuple[KeyPath, str]]:
    yield ("target",), model.target
    for index, feature in enumerate(model.features or ()):
        yield ("features", index), feature
    if model.split.column is not None:
        yield ("split", "column"), model.split.column


def _missing_column(
    team: TeamFile, path: KeyPath, column: str, dataset: str, columns: Mapping[str, str]
) -> Problem:
    message = f"`{dataset}` has no column `{column}`, by the `columns` that it declares"
    return team.problem(path, message, did_you_mean(column, columns, f"it has {one_of(columns)}"))
