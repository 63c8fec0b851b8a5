"""A dataset's document: ingest, transform, check, publish."""

from typing import Any

from factory.base.section import qualify
from factory.data.dataset import Dataset
from factory.data.load import Load
from factory.documents.dag import PUBLISH, WAIT, Dag, Task, Tasks
from factory.documents.installation import Installation
from factory.documents.resources import with_resources
from factory.documents.schedules import assets, schedule
from factory.documents.team_dag import (
    after_tasks,
    dump,
    notify,
    team_dag,
    transforms,
    with_workspace,
)
from factory.team.team import TeamConfig


def dataset_document(team: TeamConfig, name: str, installation: Installation) -> Dag:
    """The producer DAG `<team>.<name>`."""
    dataset = team.datasets[name]
    full_name = f"{team.team}.{name}"
    reads = tuple(qualify(reference, team.team) for reference in dataset.inputs)
    tasks = with_resources(
        _tasks(team, dataset, full_name, reads, installation),
        dataset.resources,
        users=dataset.tasks_with_rows,
    )
    return team_dag(
        team,
        dataset,
        description=dataset.description or f"Publishes the dataset {full_name}.",
        doc=_doc(full_name, dataset, reads),
        start=schedule(dataset.when, team, installation),
        tags=("dataset",),
        params=_params(dataset, reads),
        shared=installation.shared(
            verify=dataset.verify,
            dataset=full_name,
            reads=reads,
            columns=dataset.columns,
            write=dump(dataset.write),
        ),
        tasks=with_workspace(tasks, installation),
        own=after_tasks(team, dataset, installation, ("publish",)),
    )


def _params(dataset: Dataset, reads: tuple[str, ...]) -> tuple[str, ...]:
    refresh = ("full_refresh",) if dataset.incremental else ()
    return ("publish_unchanged", "change_columns", *refresh, *(("versions",) if reads else ()))


def _tasks(
    team: TeamConfig,
    dataset: Dataset,
    full_name: str,
    reads: tuple[str, ...],
    installation: Installation,
) -> Tasks:
    read = assets(reads, installation)
    source = {"source": dump(dataset.source.with_full_names(team.team))}
    # Promised types help to read a text file, unless a transform makes other ones of them.
    typed = {"promised_types": True} if dataset.columns and not dataset.transforms else {}
    made: list[Task] = []

    def then(name: str, arguments: dict[str, Any] | None = None, **keys: Any) -> None:
        after = (made[-1].name,) if made else ()
        made.append(Task(name, f"dataset.{name}", after, arguments=arguments or {}, **keys))

    new = {"incremental": dump(dataset.incremental)} if dataset.incremental else {}
    if dataset.source.waiting() is not None:
        then("wait", {**source, **new}, type=WAIT)
    if reads:
        then("inputs", inlets=read)
    then("ingest", {**source, **typed, **new}, inlets=read if dataset.source.references() else ())
    if dataset.transforms:
        then("transform", {"transforms": transforms(dataset.transforms, installation)}, inlets=read)
    if dataset.load:
        then("load", {"load": _without_statements(dataset.load)})
    checks = [check.with_full_names(team.team) for check in dataset.checks]
    refers = any(check.references() for check in checks)
    then("check", {"checks": [dump(check) for check in checks]}, inlets=read if refers else ())
    if dataset.load and dataset.load.then:
        statements = {"connection": dataset.load.connection, "statements": dataset.load.then}
        then("after_check", statements)
    told = notify("on_dataset", team, dataset)
    published = assets((full_name,), installation)
    then("publish", type=PUBLISH, outlets=published, options=told)
    return tuple(made)


def _without_statements(load: Load) -> dict[str, Any]:
    """The section without its SQL statements, which another task runs."""
    return {key: value for key, value in dump(load).items() if key != "then"}


def _doc(full_name: str, dataset: Dataset, reads: tuple[str, ...]) -> list[str]:
    return [
        *(f"### Dataset `{full_name}`", "", dataset.description.strip(), ""),
        f"* source: `{dataset.source.type}`",
        f"* write mode: `{dataset.write.mode}`",
        *((f"* incremental: by {dataset.incremental.by}",) if dataset.incremental else ()),
        *(f"* reads: `{name}`" for name in reads),
        *(f"* check: `{check.check}`, on fail {check.on_fail}" for check in dataset.checks),
    ]
