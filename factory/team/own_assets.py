"""Datasets and models that DAGs in plain dag-factory format name: in `schedule` and in `inlets`."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from factory.base.findings import Finding, KeyPath
from factory.base.section import NAME, qualify
from factory.base.texts import closest
from factory.team.own_entries import mappings_of

_NAMED = re.compile(rf"{NAME.pattern}(\.{NAME.pattern})?")
_COMBINED = ("__and__", "__or__")
_LIKENESS = 0.8


def asset_names(dag: Mapping[str, Any]) -> Iterator[tuple[KeyPath, str]]:
    """Each text of a DAG that may be the name of a dataset or a model, with the way to it."""
    yield from _in_schedule(dag.get("schedule"), ("schedule",))
    yield from _in_inlets(dag, ())
    for key in ("tasks", "task_groups"):
        for path, options in mappings_of(dag.get(key), (key,)):
            yield from _in_inlets(options, path)


def meant_name(name: str, team: str, own: Collection[str]) -> str | None:
    """The dataset or model that a name means, as `team.name`; None for an asset that is none of the factory's.

    Args:
        name: As it is written.
        team: The team that has written it.
        own: The names of its datasets and models.
    """
    if "." in name:
        return name
    meant = name if name in own else closest(name, own, likeness=_LIKENESS)
    return None if meant is None else qualify(meant, team)


def with_assets(
    dag: Mapping[str, Any], team: str, own: Collection[str], asset_of: Callable[[str], Any]
) -> dict[str, Any]:
    """A DAG with assets in place of the names of datasets and models.

    Args:
        dag: As it is written.
        team: The team that has written it.
        own: The names of its datasets and models.
        asset_of: The asset of a full name, as dag-factory reads it.
    """
    found: dict[str, Any] = dict(dag)
    for path, name in asset_names(dag):
        meant = meant_name(name, team, own)
        if meant is not None:
            asset = asset_of(meant)
            found = _replaced(found, path, [asset] if path == ("schedule",) else asset)
    return found


def dags_with_stand_ins(dags: object, team: str, own: Collection[str]) -> object:
    """The section `dags` with some asset in place of each name, for rules that know addresses and assets alone."""
    if not isinstance(dags, dict):
        return dags
    return {
        key: with_assets(dag, team, own, _stand_in) if isinstance(dag, dict) else dag
        for key, dag in dags.items()
    }


def check_asset_names(dags: object, own: Collection[str]) -> Iterator[Finding]:
    """Names that are nearly those of the team's own datasets and models."""
    for key, dag in dags.items() if isinstance(dags, dict) else ():
        for path, name in asset_names(dag) if isinstance(dag, dict) else ():
            if "." in name or name in own:
                continue
            if near := closest(name, own, likeness=_LIKENESS):
                message = f"this team has no dataset or model `{name}`"
                yield Finding(
                    "unknown_dataset", ("dags", key, *path), message, f"did you mean `{near}`?"
                )


def _in_schedule(value: object, path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    if isinstance(value, str) and value != "none" and _NAMED.fullmatch(value):
        yield path, value
    elif isinstance(value, list):
        for index, one in enumerate(value):
            yield from _in_schedule(one, (*path, index))
    elif isinstance(value, dict):
        for key in _COMBINED:
            if isinstance(value.get(key), list):
                yield from _in_schedule(value[key], (*path, key))


def _in_inlets(options: Mapping[str, Any], path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    for at, one in ((path, options), ((*path, "default_args"), options.get("default_args"))):
        inlets = one.get("inlets") if isinstance(one, dict) else None
        for index, name in enumerate(inlets if isinstance(inlets, list) else ()):
            if isinstance(name, str) and _NAMED.fullmatch(name):
                yield (*at, "inlets", index), name


def _replaced(value: Any, path: KeyPath, new: Any) -> Any:
    """A copy of nested mappings and lists with something else at one place."""
    if not path:
        return new
    key, *rest = path
    copy: Any = dict(value) if isinstance(value, dict) else list(value)
    copy[key] = _replaced(copy[key], tuple(rest), new)
    return copy


def _stand_in(name: str) -> dict[str, str]:
    return {"__type__": "airflow.sdk.Asset", "name": name, "uri": f"x-factory://{name}"}
