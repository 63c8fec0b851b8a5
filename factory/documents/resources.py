"""Setups and teardowns around the tasks that use a resource."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from factory.documents import document as parts
from factory.team.resources import PythonResource, SqlResource


def macros(resources: Mapping[str, Any]) -> dict[str, Any]:
    """A document's key where there are resources: templates say `{{ resource('staging').table }}`."""
    if not resources:
        return {}
    return {"user_defined_macros": {"resource": "factory.airflow.resources.resource"}}


def setup_of(name: str) -> str:
    """The id of the task that creates a resource."""
    return f"create_{name}"


def teardown_of(name: str) -> str:
    """The id of the task that destroys a resource."""
    return f"destroy_{name}"


def with_resources(
    tasks: Mapping[str, Any],
    resources: Mapping[str, PythonResource | SqlResource],
    users: Sequence[str],
) -> dict[str, Any]:
    """The tasks with a setup before the first that uses a resource, and a teardown after the last.

    Args:
        tasks: The tasks of a document, without those that open and close the workspace.
        resources: The resources by name; those within another are created after it and
            destroyed before it.
        users: The tasks that use a resource that does not say.
    """
    made = {name: dict(entry) for name, entry in tasks.items()}
    for name, resource in resources.items():
        _surround(made, name, resource, outer=None, users=users)
    return made


def _surround(
    tasks: dict[str, Any],
    name: str,
    resource: PythonResource | SqlResource,
    *,
    outer: str | None,
    users: Sequence[str],
) -> list[str]:
    """Put a resource and those within it around its users; returns what its teardown waits for."""
    own = resource.used_by or users
    within = {task for inner in resource.resources.values() for task in _users(inner, own)}
    used = [task for task in tasks if task in {*own, *within}]
    above = {task: _ancestors(tasks, task) for task in used}
    first = [task for task in used if not above[task].intersection(used)]
    last = [task for task in used if not any(task in above[other] for other in used)]
    setup = setup_of(name)
    before = {needed: None for task in first for needed in _dependencies(tasks, task)}
    entry = parts.decorated(
        parts.SETUP,
        "resources.create",
        {"name": name, **_side(resource, resource.create)},
        *(before | ({setup_of(outer): None} if outer else {})),
    )
    _insert_before(tasks, first, setup, entry)
    for task in first:
        tasks[task]["dependencies"] = [*_dependencies(tasks, task), setup]
    after = [
        teardown
        for inner_name, inner in resource.resources.items()
        for teardown in _surround(tasks, inner_name, inner, outer=name, users=own)
    ]
    tasks[teardown_of(name)] = parts.decorated(
        parts.TEARDOWN,
        "resources.destroy",
        {"name": name, "created_by": setup, **_side(resource, resource.destroy)},
        # The workspace's setup too: it has succeeded where the resource's own has failed or was
        # killed half-way, and Airflow runs a teardown if one of its setups has succeeded.
        *(parts.OPEN_WORKSPACE, setup, *last, *after),
    )
    return [teardown_of(name)]


def _users(resource: PythonResource | SqlResource, users: Sequence[str]) -> Iterable[str]:
    """The tasks that use a resource or one within it."""
    own = resource.used_by or users
    yield from own
    for inner in resource.resources.values():
        yield from _users(inner, own)


def _ancestors(tasks: Mapping[str, Any], task: str) -> set[str]:
    found: set[str] = set()
    pending = _dependencies(tasks, task)
    while pending:
        name = pending.pop()
        if name in tasks and name not in found:
            found.add(name)
            pending += _dependencies(tasks, name)
    return found


def _dependencies(tasks: Mapping[str, Any], task: str) -> list[str]:
    return list(tasks[task].get("dependencies", ()))


def _insert_before(
    tasks: dict[str, Any], followers: Iterable[str], name: str, entry: dict[str, Any]
) -> None:
    """Keep the tasks in running order, in which they are read, and built."""
    position = min(list(tasks).index(follower) for follower in followers)
    items = list(tasks.items())
    items.insert(position, (name, entry))
    tasks.clear()
    tasks.update(items)


def _side(resource: PythonResource | SqlResource, what: str) -> dict[str, Any]:
    """What creates or destroys a resource, as arguments of its task."""
    if isinstance(resource, SqlResource):
        return {"connection": resource.connection, "statements": what}
    return {"call": what, "arguments": resource.arguments}
