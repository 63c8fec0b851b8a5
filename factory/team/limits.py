"""What the platform lets one team use: its connections, queue, pool and packages."""

from collections.abc import Iterator, Mapping
from typing import Any

from factory.base.findings import Finding, KeyPath
from factory.base.section import Section
from factory.base.texts import one_of
from factory.team.after_tasks import after_sections
from factory.team.team import PlatformConfig, TeamConfig, TeamLimits

WORKERS = ("queue", "pool")
"""Where a task runs, in Airflow's words."""
_PLATFORMS = ("executor", "run_as_user")
"""What would take a task of `dags` away from there."""


def limits_of(platform: PlatformConfig, team: str) -> TeamLimits | None:
    """The team's limits; None where the platform lists no team."""
    return platform.teams.get(team) if platform.teams else None


def unlisted(platform: PlatformConfig, team: str) -> Iterator[Finding]:
    """The finding that the platform lists its teams, and this is none of them."""
    if platform.teams and team not in platform.teams:
        yield Finding(
            "unlisted_team",
            ("team",),
            f"{team} is none of the teams of this platform: {one_of(sorted(platform.teams))}",
            "let the platform add it to `teams` in _defaults.yaml, with what it may use",
        )


def limited(
    value: dict[str, Any], limits: TeamLimits | None
) -> tuple[dict[str, Any], list[Finding]]:
    """A team's value, not yet validated, on its own workers; and what in it asks for others."""
    workers = {name: getattr(limits, name) for name in WORKERS if limits and getattr(limits, name)}
    if not workers:
        return value, []
    findings = [*_elsewhere(value.get("defaults"), ("defaults",), workers)]
    limited = {**value, "defaults": {**_mapping(value.get("defaults")), **workers}}
    for path, tasks in after_sections(value):
        findings += _elsewhere_in_dags(tasks, (*path, "after"), workers)
    dags = value.get("dags")
    if isinstance(dags, dict):
        findings += _elsewhere_in_dags(dags, ("dags",), workers)
        limited["dags"] = {
            name: {**dag, "default_args": {**_mapping(dag.get("default_args")), **workers}}
            if isinstance(dag, dict)
            else dag
            for name, dag in dags.items()
        }
    return limited, findings


def refused_connections(team: TeamConfig, limits: TeamLimits | None) -> Iterator[Finding]:
    """The connections that a team's sections name, or take by default, and that it may not use."""
    if limits is not None:
        for path, name in connections_in(team):
            if name not in limits.connections:
                yield Finding("connection", path, *refused_connection(name, limits.connections))


def refused_connection(name: str, allowed: tuple[str, ...]) -> tuple[str, str]:
    """What to say of a connection that a team may not use, and what to do."""
    return (
        f"the team may not use the connection {name!r}; it may use {one_of(allowed) or 'none'}",
        "let the platform add it to the team's `connections`, below `teams` in _defaults.yaml",
    )


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _elsewhere(value: object, path: KeyPath, workers: Mapping[str, str]) -> Iterator[Finding]:
    for name, only in workers.items():
        written = _mapping(value).get(name)
        if written is not None and written != only:
            message = f"the team's {name} is {only!r}, and no other"
            yield Finding("workers", (*path, name), message, f"leave `{name}` out")


def _elsewhere_in_dags(
    value: object, path: KeyPath, workers: Mapping[str, str]
) -> Iterator[Finding]:
    yield from _elsewhere(value, path, workers)
    for name in _PLATFORMS:
        if _mapping(value).get(name) is not None:
            message = (
                f"`{name}` is the platform's to say, where it gives the team a queue or a pool"
            )
            yield Finding("workers", (*path, name), message, f"leave `{name}` out")
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, child in items:
        yield from _elsewhere_in_dags(child, (*path, key), workers)


def connections_in(value: object, path: KeyPath = ()) -> Iterator[tuple[KeyPath, str]]:
    """Every connection that a section names, by its place; a field called so, whatever its kind."""
    if isinstance(value, Section):
        for name in type(value).model_fields:
            child = getattr(value, name)
            if isinstance(child, str) and (name == "connection" or name.endswith("_connection")):
                yield (*path, name), child
            else:
                yield from connections_in(child, (*path, name))
    elif isinstance(value, dict):
        for key, child in value.items():
            if isinstance(child, str) and str(key).endswith("conn_id"):
                yield (*path, key), child
            else:
                yield from connections_in(child, (*path, key))
    elif isinstance(value, (tuple, list)):
        for index, child in enumerate(value):
            yield from connections_in(child, (*path, index))
