"""All teams together: who publishes what, who reads it, and whether the links hold.

A problem belongs to the team that refers, and only that team's DAGs are withheld. Where a producer's
file is broken, its consumers stay healthy: they keep their DAGs, and just see no new snapshots until
the file is mended. So a reference to a team whose file is broken is not looked at.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from factory.base.findings import KeyPath
from factory.base.texts import closest, did_you_mean, one_of
from factory.catalog.contracts import check_columns
from factory.catalog.costs import check_costs
from factory.catalog.cycles import Links, rings
from factory.catalog.published import Published, published
from factory.team.problems import Problem, in_order
from factory.team.reader import TeamFile
from factory.team.references import Reference, references, references_of_dags
from factory.team.schedule import PRESETS
from factory.training.model import Model


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
    """By full name of a dataset, or of a model that starts something: what refers to it."""
    promised: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Of broken teams of which a part is looked at: the datasets that they mean to publish."""

    @classmethod
    def of(
        cls,
        teams: Mapping[str, TeamFile],
        unreadable: frozenset[str] = frozenset(),
        promised: Mapping[str, frozenset[str]] = MappingProxyType({}),
    ) -> "Catalog":
        """The catalog of these teams."""
        datasets = {
            f"{team.name}.{found.name}": found
            for team in teams.values()
            for found in published(team)
        }
        consumers: dict[str, list[Reference]] = {}
        for team in teams.values():
            for reference in references(team.team):
                consumers.setdefault(reference.dataset, []).append(reference)
        by_dataset = {name: tuple(found) for name, found in consumers.items()}
        return cls(teams, unreadable, datasets, by_dataset, promised)

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
    yield from check_columns(team, catalog.datasets)
    yield from check_costs(team)
    for reference in references_of_dags(team.team):
        yield from _check_reference(catalog, reference)
    yield from _check_sharing(catalog, team)


def _check_reference(catalog: Catalog, reference: Reference) -> Iterator[Problem]:
    producer, name = reference.dataset.split(".")
    team = catalog.teams[reference.team]
    if _is_unknown(catalog, reference) or _is_model(catalog, reference):
        return
    if producer not in catalog.teams:
        suggestion = did_you_mean(reference.dataset, catalog.datasets, _known_teams(catalog))
        message = f"there is no team `{producer}`"
        yield team.problem("unknown_team", reference.path, message, suggestion)
        return
    found = catalog.datasets.get(reference.dataset)
    if found is None:
        whose = "this team" if producer == team.name else f"team `{producer}`"
        lacks = "has no dataset or model" if reference.role == "names" else "publishes no dataset"
        message = f"{whose} {lacks} `{name}`"
        yield team.problem("unknown_dataset", reference.path, message, _suggest(catalog, reference))
    elif not found.is_shared_with(team.name):
        message = f"`{reference.dataset}` is not shared with team `{team.name}`"
        suggestion = _how_to_share(found, team.name)
        yield team.problem("not_shared", reference.path, message, suggestion)


def _is_unknown(catalog: Catalog, reference: Reference) -> bool:
    """Whether what is referred to may be there, in a file that is broken."""
    producer, name = reference.dataset.split(".")
    if producer == reference.team:
        return name in catalog.promised.get(producer, ()) and name not in catalog.datasets
    return producer in catalog.unreadable


def _is_model(catalog: Catalog, reference: Reference) -> bool:
    """Whether a model is named where one may be: in a schedule one of the same team, in `dags` one of any team.

    A model needs no `share_with`: its event says that a version went into production, and no rows are read by it.
    """
    producer, name = reference.dataset.split(".")
    return (
        _may_be_model(reference)
        and producer in catalog.teams
        and name in catalog.teams[producer].team.models
    )


def _may_be_model(reference: Reference) -> bool:
    is_own = reference.dataset.partition(".")[0] == reference.team
    return reference.role == "names" or (reference.role == "starts" and is_own)


def _known_teams(catalog: Catalog) -> str:
    return f"known teams: {one_of(sorted({*catalog.teams, *catalog.unreadable}))}"


def _suggest(catalog: Catalog, reference: Reference) -> str:
    producer, name = reference.dataset.split(".")
    config = catalog.teams[producer].team
    is_own = producer == reference.team
    if name in config.models:
        return _instead_of_model(name, config.models[name], "" if is_own else f"{producer}.")
    if f"@{name}" in PRESETS:
        return f'did you mean "@{name}"?'
    names = [found.name for found in published(catalog.teams[producer])]
    near = closest(name, [*names, *(config.models if _may_be_model(reference) else ())])
    if near:
        return f"did you mean `{near}`?" if is_own else f"did you mean `{producer}.{near}`?"
    elsewhere = [full for full in catalog.datasets if full.endswith(f".{name}")]
    if elsewhere:
        return f"did you mean `{elsewhere[0]}`?"
    return f"it publishes {one_of(sorted(names)) or 'nothing'}"


def _instead_of_model(name: str, model: Model, prefix: str) -> str:
    rule = f"`{name}` is a model; only datasets can be read"
    if model.predict is None:
        return rule
    return f"{rule}, such as its predictions, `{prefix}{model.predict.output_of(name)}`"


def _how_to_share(found: Published, team: str) -> str:
    file = found.team.path.name
    where = f"`{found.name}`" if found.path[0] == "datasets" else f"`predict` of `{found.path[1]}`"
    if found.share_with:
        return f"add `{team}` to `share_with` of {where} in {file}"
    return f"add `share_with: [{team}]` to {where} in {file}"


def _check_sharing(catalog: Catalog, team: TeamFile) -> Iterator[Problem]:
    known = {*catalog.teams, *catalog.unreadable}
    for found in published(team):
        for index, other in enumerate(found.share_with if found.share_with != "*" else ()):
            if other not in known:
                path = (*found.path, "share_with", index)
                suggestion = did_you_mean(other, known, _known_teams(catalog))
                message = f"there is no team `{other}`"
                yield team.problem("unknown_team", path, message, suggestion)


def _check_cycles(catalog: Catalog) -> Iterator[tuple[str, Problem]]:
    links = _links(catalog)
    for ring in rings({name: set(read) for name, read in links.items()}):
        shown = " → ".join((*ring, ring[0]))
        kinds = "datasets" if catalog.datasets.keys() >= set(ring) else "datasets and models"
        for name, reader in zip(ring, (*ring[1:], ring[0]), strict=True):
            team, path = links[reader][name]
            message = f"these {kinds} wait for each other: {shown}"
            if len(ring) == 1:
                message = f"`{name}` {'reads' if name in catalog.datasets else 'starts'} itself"
            suggestion = "take one of these links away"
            on_key = path[-1] == "predict"
            problem = catalog.teams[team].problem("ring", path, message, suggestion, on_key=on_key)
            yield team, problem


def _links(catalog: Catalog) -> Links[tuple[str, KeyPath]]:
    """Every dataset and model, what it waits for, and the team and the place that say so."""
    links: Links[tuple[str, KeyPath]] = {name: {} for name in sorted(catalog.datasets)}
    for team in catalog.teams.values():
        for name, model in team.team.models.items():
            full_name = f"{team.name}.{name}"
            links.setdefault(full_name, {})
            if model.predict is not None:
                path: KeyPath = ("models", name, "predict")
                output = f"{team.name}.{model.predict.output_of(name)}"
                links[output].setdefault(full_name, (team.name, path))
    for reference in catalog.references:
        if reference.watches:
            continue
        # Two of one name are a problem of their own, and no ring.
        if reference.dataset in links and not _is_ambiguous(catalog, reference):
            place = (reference.team, reference.path)
            links[reference.full_name].setdefault(reference.dataset, place)
    return links


def _is_ambiguous(catalog: Catalog, reference: Reference) -> bool:
    """Whether the model that refers has the name of a dataset."""
    is_model = reference.section == "models" and reference.output is None
    return is_model and reference.full_name in catalog.datasets


def _check_names(team: TeamFile) -> Iterator[Problem]:
    """Names are unique within a team: DAGs, assets and registered models are called after them."""
    taken: dict[str, str] = {}
    for path, name, kind in _names(team):
        if name in taken:
            message = f"the name `{name}` is taken: the team has a {taken[name]} `{name}`"
            on_key = path[-1] != "output"
            yield team.problem("name_taken", path, message, _other_name(path), on_key=on_key)
        taken.setdefault(name, kind)


def _names(team: TeamFile) -> Iterator[tuple[KeyPath, str, str]]:
    """Where each name is given, the name, and what it is the name of."""
    config = team.team
    yield from ((("datasets", name), name, "dataset") for name in config.datasets)
    yield from ((("models", name), name, "model") for name in config.models)
    for name, model in config.models.items():
        if model.predict is not None:
            path = ("models", name, "predict", *(("output",) if model.predict.output else ()))
            yield path, model.predict.output_of(name), "dataset of predictions"
    yield from ((("dags", name), name, "DAG") for name in config.dags)


def _other_name(path: KeyPath) -> str:
    if path[-1] == "predict":
        return "give the predictions another name: add `output: ...` to `predict`"
    return "give it another name"
