"""Resources: setups and teardowns around the tasks that use a resource."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from factory.documents.dag import SETUP, TEARDOWN, Task, Tasks, following
from factory.documents.team_dag import OPEN_WORKSPACE
from factory.team.resources import PythonResource, SqlResource

Resource = PythonResource | SqlResource


def setup_of(name: str) -> str:
    """The id of the task that creates a resource."""
    return f"create_{name}"


def teardown_of(name: str) -> str:
    """The id of the task that destroys a resource."""
    return f"destroy_{name}"


def with_resources(tasks: Tasks, resources: Mapping[str, Resource], users: Sequence[str]) -> Tasks:
    """The tasks with a setup before the first that uses a resource, and a teardown after the last.

    Args:
        tasks: The tasks of a document, without those that open and close the workspace.
        resources: The resources by name; those within another are created after it and
            destroyed before it.
        users: The tasks that use a resource that does not say.
    """
    for name, resource in resources.items():
        tasks = _surrounded(tasks, name, resource, outer=None, users=users)
    return tasks


def _surrounded(
    tasks: Tasks, name: str, resource: Resource, *, outer: str | None, users: Sequence[str]
) -> Tasks:
    """The tasks with a resource, and those within it, around its users."""
    own = resource.used_by or users
    named = set(_users(resource, users))
    used = [task for task in tasks if task.name in named]
    before = {task.name: _ancestors(tasks, task.name) for task in used}
    first = [task for task in used if not before[task.name].intersection(before)]
    last = [task for task in used if not any(task.name in above for above in before.values())]
    after = dict.fromkeys(needed for task in first for needed in task.after)
    if outer is not None:
        after[setup_of(outer)] = None
    setup = Task(
        setup_of(name),
        "resources.create",
        tuple(after),
        SETUP,
        {"name": name, **_side(resource, resource.create)},
    )
    made: list[Any] = [following(task, setup.name) if task in first else task for task in tasks]
    # Tasks are read in the order in which they run.
    made.insert(min(map(tasks.index, first)), setup)
    within = tuple(made)
    for inner_name, inner in resource.resources.items():
        within = _surrounded(within, inner_name, inner, outer=name, users=own)
    teardown = Task(
        teardown_of(name),
        "resources.destroy",
        # The workspace's setup too: it has succeeded where the resource's own has failed or was
        # killed half-way, and Airflow runs a teardown if one of its setups has succeeded.
        (
            *(OPEN_WORKSPACE, setup.name),
            *(task.name for task in last),
            *map(teardown_of, resource.resources),
        ),
        TEARDOWN,
        {"name": name, **_side(resource, resource.destroy)},
    )
    return (*within, teardown)


def _users(resource: Resource, users: Sequence[str]) -> Iterable[str]:
    """The tasks that use a resource or one within it."""
    own = resource.used_by or users
    yield from own
    for inner in resource.resources.values():
        yield from _users(inner, own)


def _ancestors(tasks: Tasks, name: str) -> set[str]:
    after = {task.name: task.after for task in tasks}
    found: set[str] = set()
    pending = list(after[name])
    while pending:
        one = pending.pop()
        if one in after and one not in found:
            found.add(one)
            pending += after[one]
    return found


def _side(resource: Resource, what: str) -> dict[str, Any]:
    """What creates or destroys a resource, as arguments of its task."""
    if isinstance(resource, SqlResource):
        return {"connection": resource.connection, "statements": what}
    arguments = {"arguments": resource.arguments} if resource.arguments else {}
    return {"call": what, **arguments}
