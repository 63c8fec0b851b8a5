"""What a change of team files does once it is live: which DAGs come, go and change, and who is affected."""

import difflib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from factory.base.code import OWN_PACKAGE
from factory.base.section import Section
from factory.catalog import Project, read_all
from factory.changes.contract_changes import ContractChange, contract_changes
from factory.data.dataset import Dataset
from factory.documents.compile import compile_platform, compile_team, producer_id
from factory.documents.dag import SHARED, Document
from factory.documents.deployment import deployment_id
from factory.documents.installation import Installation
from factory.documents.prediction import prediction_id
from factory.documents.rendering import to_yaml
from factory.documents.training import training_id
from factory.team.problems import Problem
from factory.team.team import TeamConfig
from factory.training.model import Model

Kind = Literal["new", "gone", "changed"]
Effect = Literal["retrain", "republish", "redeploy", "operation", "cosmetic"]
"""What a change comes to: the next training gives another model, the next run other rows, the next deployment another
service; or only when and how something runs, is judged and told; or nothing but words."""

_OF_TEAM = {"owner", "defaults", "notify"}
"""What a team's file says of all of its DAGs."""
_WORDS = ("description", "doc_md", "tags")


@dataclass(frozen=True)
class Trials:
    """How many trials a model's training makes, before and now; None where it is not there."""

    before: int | None
    now: int | None
    fits_before: int | None = 1
    fits_now: int | None = 1
    """How many fits each trial takes: with folds one for each of them, and one of the model itself."""
    seconds: float | None = None
    """How long the fits of a trial took on the average in the last sweep; None where that is unknown."""
    minutes_before: float | None = None
    minutes_now: float | None = None
    """How long all fits take, one after the other, if they take as long as those of the last sweep."""

    def timed(self, seconds: float | None) -> "Trials":
        """The same, with what fits take as long as this."""
        if seconds is None:
            return self
        # The last sweep was trained as before; where there is nothing before, as now.
        of_a_fit = seconds / (self.fits_before or self.fits_now or 1)
        before, now = (
            None if number is None else number * (fits or 1) * of_a_fit / 60
            for number, fits in ((self.before, self.fits_before), (self.now, self.fits_now))
        )
        return replace(self, seconds=seconds, minutes_before=before, minutes_now=now)


@dataclass(frozen=True)
class DagChange:
    """One DAG that comes, goes or changes."""

    dag_id: str
    kind: Kind
    effect: Effect
    keys: tuple[str, ...]
    """What is written otherwise, as `search.candidates`; empty where only the platform's part has changed."""
    affected: tuple[str, ...]
    """The datasets and models, of all teams, that read what comes of it, directly or not."""
    starts: str
    """What starts it."""
    trials: Trials | None
    """Of a training that gives another model, or makes another number of trials."""
    diff: tuple[str, ...]
    """The rendered documents, compared line by line."""


@dataclass(frozen=True)
class Plan:
    """All that changes."""

    changes: tuple[DagChange, ...]
    contracts: tuple[ContractChange, ...]
    """What datasets promise otherwise, what breaks readers first."""
    problems: tuple[str, ...]
    """What is wrong with the files as they are now and was not before."""


@dataclass(frozen=True)
class State:
    """A project at one time."""

    read: Project
    installation: Installation

    @classmethod
    def of(cls, folder: Path, project: Path, environment: str) -> "State":
        """The state in a folder, as if it was the project's own.

        Args:
            folder: With `configs/` and SQL files.
            project: The project's folder, which paths and addresses are made of.
            environment: Whose overlays apply.
        """
        read = read_all(folder / "configs", environment)
        installation = replace(Installation.of(read.platform, project), project=folder)
        return cls(read, installation)

    @cached_property
    def documents(self) -> Mapping[str, Document]:
        """Every DAG's, by id."""
        found = dict(compile_platform(self.read.platform, self.installation))
        for file in self.read.teams.values():
            found |= compile_team(file.team, self.installation)
        return found

    def team(self, dag_id: str) -> TeamConfig | None:
        """The team whose DAG it is, if its file can be read."""
        file = self.read.catalog.teams.get(dag_id.partition(".")[0])
        return None if file is None else file.team

    def section(self, dag_id: str) -> Dataset | Model | None:
        """The dataset or model that a DAG is about; None for one that a team has written itself."""
        team, _, rest = dag_id.partition(".")
        file = self.read.catalog.teams.get(team)
        if file is None:
            return None
        name = rest.partition(".")[0]
        return file.team.datasets.get(name) or file.team.models.get(name)

    def producer_of(self, dataset: str) -> Document | None:
        """The document of the DAG that publishes a dataset; None where there is none."""
        team, _, name = dataset.partition(".")
        file = self.read.catalog.teams.get(team)
        return None if file is None else self.documents.get(producer_id(file.team, name))

    def keys_against(self, now: "State", dag_id: str) -> tuple[str, ...]:
        """What is written otherwise now of what a DAG is about, at most two keys deep."""
        return (
            *_changed_of(self.section(dag_id), now.section(dag_id)),
            *_changed_of(self.team(dag_id), now.team(dag_id), _OF_TEAM),
        )

    def readers(self, dag_id: str) -> tuple[str, ...]:
        """Who reads what comes of a DAG, directly or not, in the order of their distance."""
        found: dict[str, None] = {}
        waiting = list(self._published(dag_id))
        while waiting:
            name = waiting.pop(0)
            for one in self.read.catalog.consumers.get(name, ()):
                if one.full_name not in found and not one.watches:
                    found[one.full_name] = None
                    waiting.append(one.full_name)
        return tuple(found)

    def _published(self, dag_id: str) -> Iterator[str]:
        """The full names of what a DAG publishes, or puts into production."""
        team, _, rest = dag_id.partition(".")
        name = rest.partition(".")[0]
        file = self.read.catalog.teams.get(team)
        if file is None:
            return
        if dag_id == training_id(team, name):
            yield f"{team}.{name}"
        if name in file.team.models and dag_id in (
            training_id(team, name),
            prediction_id(team, name),
        ):
            predict = file.team.models[name].predict
            if predict is not None:
                yield f"{team}.{predict.output_of(name)}"
        if name in file.team.datasets and dag_id == producer_id(file.team, name):
            yield dag_id


def make_plan(before: State, now: State) -> Plan:
    """What changes from one state to another."""
    ids = dict.fromkeys([*before.documents, *now.documents])
    changes = (_change(dag_id, before, now) for dag_id in ids)
    earlier = {_what(problem) for problem in before.read.problems}
    return Plan(
        changes=tuple(change for change in changes if change is not None),
        contracts=_contracts(before, now),
        problems=tuple(str(one) for one in now.read.problems if _what(one) not in earlier),
    )


def timed(plan: Plan, seconds: Callable[[str], float | None]) -> Plan:
    """A plan with how long the fits of its trainings take.

    Args:
        plan: The plan.
        seconds: How long a fit of the model `team.model` took in its last sweep.
    """
    changes = (
        one
        if one.trials is None
        else replace(one, trials=one.trials.timed(seconds(".".join(one.dag_id.split(".")[:2]))))
        for one in plan.changes
    )
    return replace(plan, changes=tuple(changes))


def _contracts(before: State, now: State) -> tuple[ContractChange, ...]:
    """What changes for readers of datasets: of those that are made otherwise, and of those that are made of them."""
    was, is_now = before.read.catalog, now.read.catalog
    waiting = [name for name in was.datasets if before.producer_of(name) != now.producer_of(name)]
    touched = dict.fromkeys(waiting)
    while waiting:
        for one in is_now.consumers.get(waiting.pop(), ()):
            if one.full_name in was.datasets and one.full_name not in touched:
                touched[one.full_name] = None
                waiting.append(one.full_name)
    read = [name for name in touched if is_now.consumers.get(name)]
    return contract_changes(was, is_now, read, now.installation.project)


def _what(problem: Problem) -> tuple[str, str, str]:
    """What is wrong, wherever the file lies and the line has moved to."""
    return problem.file.name, problem.code, problem.message


def _change(dag_id: str, before: State, now: State) -> DagChange | None:
    was, is_now = before.documents.get(dag_id), now.documents.get(dag_id)
    if was == is_now:
        return None
    kind: Kind = "new" if was is None else "gone" if is_now is None else "changed"
    there = before if is_now is None else now
    effect = _effect(dag_id, before, now)
    return DagChange(
        dag_id=dag_id,
        kind=kind,
        effect=effect,
        keys=before.keys_against(now, dag_id),
        affected=() if effect in ("operation", "cosmetic") else there.readers(dag_id),
        starts=_starts(there, dag_id),
        trials=_trials(dag_id, before, now, effect),
        diff=tuple(_diff(dag_id, was, is_now)),
    )


def _effect(dag_id: str, before: State, now: State) -> Effect:
    was, is_now = before.documents.get(dag_id), now.documents.get(dag_id)
    if was is not None and is_now is not None and _without_words(was) == _without_words(is_now):
        return "cosmetic"
    team, _, rest = dag_id.partition(".")
    name = rest.partition(".")[0]
    section = now.section(dag_id) or before.section(dag_id)
    kinds: dict[str, tuple[Effect, Callable[[Document], Any]]] = {}
    if isinstance(section, Model):
        kinds = {
            training_id(team, name): ("retrain", _what_is_trained),
            prediction_id(team, name): ("republish", _rows),
            deployment_id(team, name): ("redeploy", lambda document: _shared(document)["deploy"]),
        }
    elif "dataset" in _shared(is_now or was or {}):
        kinds = {dag_id: ("republish", _rows)}
    if dag_id not in kinds:
        return "operation"
    effect, decides = kinds[dag_id]
    if was is None or is_now is None or decides(was) != decides(is_now):
        return effect
    return "operation"


def _shared(document: Document) -> Mapping[str, Any]:
    shared: Mapping[str, Any] = document.get("default_args", {}).get(SHARED, {})
    return shared


def _what_is_trained(document: Document) -> str:
    """What is tagged to a version: the configuration's hash, of SQL files their texts."""
    return Model.model_validate(_shared(document)["section"]).config_hash


def _rows(document: Document) -> Any:
    """What decides which rows are published."""
    tasks, shared = document["tasks"], _shared(document)
    arguments = {name: task.get("op_kwargs") for name, task in tasks.items() if _is_step(task)}
    return arguments, {key: shared.get(key) for key in ("reads", "columns", "write")}


def _is_step(task: Document) -> bool:
    """Whether a task is one of the factory's, and not of `after`."""
    makes: str = task.get("operator") or task["decorator"]
    return makes.partition(".")[0] == OWN_PACKAGE


def _without_words(document: Document) -> Any:
    plain = {key: value for key, value in document.items() if key not in _WORDS}
    defaults = dict(plain.get("default_args", {}))
    shared = dict(defaults.get(SHARED, {}))
    if isinstance(shared.get("section"), dict):
        section = {key: value for key, value in shared["section"].items() if key not in _WORDS}
        shared["section"] = section
    return {**plain, "default_args": {**defaults, SHARED: shared}}


def _changed_of(
    old: Section | None, new: Section | None, only: set[str] | None = None
) -> Iterator[str]:
    if old is None or new is None or type(old) is not type(new):
        return
    was, is_now = (
        one.model_dump(mode="json", exclude_defaults=True, include=only) for one in (old, new)
    )
    yield from changed_keys(was, is_now)


def changed_keys(was: Mapping[str, Any], is_now: Mapping[str, Any]) -> Iterator[str]:
    """The keys whose values differ, at most two deep, as `search.candidates`."""
    for key in dict.fromkeys([*was, *is_now]):
        before, now = was.get(key), is_now.get(key)
        if before == now:
            continue
        if isinstance(before or now, dict):
            before, now = before or {}, now or {}
            below = dict.fromkeys([*before, *now])
            yield from (f"{key}.{one}" for one in below if before.get(one) != now.get(one))
        else:
            yield key


def _trials(dag_id: str, before: State, now: State, effect: Effect) -> Trials | None:
    team, _, rest = dag_id.partition(".")
    if dag_id != training_id(team, rest.partition(".")[0]):
        return None
    sections = (before.section(dag_id), now.section(dag_id))
    models = [section if isinstance(section, Model) else None for section in sections]
    counts = [None if model is None else model.most_trials for model in models]
    fits = [None if model is None else model.fits_of_a_trial for model in models]
    found = Trials(counts[0], counts[1], fits_before=fits[0], fits_now=fits[1])
    return found if effect == "retrain" or counts[0] != counts[1] else None


def _starts(state: State, dag_id: str) -> str:
    """What starts a DAG, in words."""
    team, _, rest = dag_id.partition(".")
    name = rest.partition(".")[0]
    section = state.section(dag_id)
    if isinstance(section, Dataset):
        return section.when.in_words
    if isinstance(section, Model):
        if dag_id == training_id(team, name):
            return section.when.in_words
        if dag_id == prediction_id(team, name) and section.predict is not None:
            return section.predict.when(name).in_words
        if dag_id == deployment_id(team, name):
            return f"when a version of {name} goes into production"
        return "when there are new predictions, or as its schedule says"
    return "as its schedule says"


def _diff(dag_id: str, was: Document | None, is_now: Document | None) -> Iterator[str]:
    before, now = (
        [] if document is None else to_yaml({dag_id: document}).splitlines()
        for document in (was, is_now)
    )
    yield from list(difflib.unified_diff(before, now, lineterm="", n=2))[2:]
