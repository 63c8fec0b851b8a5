"""A dataset's document: ingest, transform, check, publish."""

from typing import Any

from factory.base.section import qualify
from factory.data.dataset import Dataset
from factory.data.load import Load
from factory.documents import document as parts
from factory.documents.document import Document
from factory.documents.installation import Places
from factory.documents.notification import telling
from factory.documents.resources import macros, with_resources
from factory.documents.shared import Shared
from factory.team.team import TeamConfig

VERSIONS = parts.param(
    None,
    "Versions to read, such as {'marine.penguins': 3}; the newest when left out.",
    "object",
    "null",
)
PUBLISH_UNCHANGED = parts.param(
    False, "Emit the asset event even if the content is the same as before.", "boolean"
)


def dataset_document(team: TeamConfig, name: str, places: Places) -> Document:
    """The producer DAG `<team>.<name>`."""
    dataset = team.datasets[name]
    full_name = f"{team.team}.{name}"
    reads = [qualify(reference, team.team) for reference in dataset.inputs]
    return parts.dag(
        team,
        description=dataset.description or f"Publishes the dataset {full_name}.",
        doc=_doc(full_name, dataset, reads),
        when=parts.schedule(dataset.when, team, places),
        tags=("dataset", team.team),
        params={
            "publish_unchanged": PUBLISH_UNCHANGED,
            **({"versions": VERSIONS} if reads else {}),
        },
        tasks=parts.with_workspace(
            with_resources(
                _tasks(team, dataset, full_name, reads, places),
                dataset.resources,
                users=dataset.tasks_with_rows,
            )
        ),
        shared=Shared(
            places.storage,
            places.workspace,
            places.storage_connection,
            dataset=full_name,
            reads=tuple(reads),
            columns=dataset.columns,
            write=parts.dump(dataset.write),
        ),
        about=dataset,
    ) | macros(dataset.resources)


def _tasks(
    team: TeamConfig, dataset: Dataset, full_name: str, reads: list[str], places: Places
) -> dict[str, Any]:
    tasks: dict[str, Any] = {}
    last: tuple[str, ...] = ()
    if reads:
        tasks["inputs"] = parts.task(
            "dataset.inputs",
            inlets=reads,
            places=places,
        )
        last = ("inputs",)
    tasks["ingest"] = parts.task(
        "dataset.ingest",
        # Promised types help to read a text file, unless a transform makes other ones of them.
        {
            "source": parts.dump(dataset.source.with_full_names(team.team)),
            **({"promised_types": True} if dataset.columns and not dataset.transforms else {}),
        },
        *last,
        inlets=reads if dataset.source.references() else (),
        places=places,
    )
    last = ("ingest",)
    if dataset.transforms:
        tasks["transform"] = parts.task(
            "dataset.transform",
            {"transforms": parts.transforms(dataset.transforms, places)},
            *last,
            inlets=reads,
            places=places,
        )
        last = ("transform",)
    if dataset.load:
        tasks["load"] = parts.task(
            "dataset.load",
            {"load": _loaded(dataset.load)},
            *last,
            places=places,
        )
        last = ("load",)
    tasks["check"] = parts.task(
        "dataset.check",
        {"checks": [parts.dump(check) for check in dataset.checks]},
        *last,
        places=places,
    )
    last = ("check",)
    if dataset.load and dataset.load.then:
        tasks["after_check"] = parts.task(
            "dataset.after_check",
            {"connection": dataset.load.connection, "statements": dataset.load.then},
            *last,
            places=places,
        )
        last = ("after_check",)
    tasks["publish"] = parts.task(
        "dataset.publish",
        None,
        *last,
        outlets=[full_name],
        places=places,
        **telling("on_dataset", team, dataset),
    )
    return tasks


def _loaded(load: Load) -> dict[str, Any]:
    """The section without the statements, which belong to another task."""
    return {key: value for key, value in parts.dump(load).items() if key != "then"}


def _doc(full_name: str, dataset: Dataset, reads: list[str]) -> str:
    lines = [f"### Dataset `{full_name}`", "", dataset.description.strip() or "", ""]
    lines += [f"* source: `{dataset.source.type}`", f"* write mode: `{dataset.write.mode}`"]
    lines += [f"* reads: `{name}`" for name in reads]
    lines += [f"* check: `{check.check}`, on fail {check.on_fail}" for check in dataset.checks]
    return "\n".join(lines) + "\n"
