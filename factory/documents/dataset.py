"""A dataset's document: ingest, transform, check, publish."""

from typing import Any

from factory.config.base import qualify
from factory.config.dataset import Dataset
from factory.config.sources import DatasetSource
from factory.config.team import TeamConfig
from factory.documents import parts
from factory.documents.parts import Document
from factory.documents.places import Places

VERSIONS = parts.param(
    None,
    "Versions to read, such as {'marine.penguins': 3}; the newest when left out.",
    "object",
    "null",
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
        when=parts.schedule(dataset.when, team.team, places),
        tags=("dataset", team.team),
        params={
            "publish_unchanged": parts.param(
                False,
                "Emit the asset event even if the content is the same as before.",
                "boolean",
            ),
            **({"versions": VERSIONS} if reads else {}),
        },
        tasks=parts.with_workspace(
            _tasks(team, dataset, full_name, reads, places), module="workspace", places=places
        ),
    )


def _tasks(
    team: TeamConfig, dataset: Dataset, full_name: str, reads: list[str], places: Places
) -> dict[str, Any]:
    where = {"storage": places.storage, "workspace": places.workspace}
    source = parts.dump(dataset.source)
    if isinstance(dataset.source, DatasetSource):
        source["dataset"] = qualify(dataset.source.dataset, team.team)
    tasks: dict[str, Any] = {}
    last: tuple[str, ...] = ()
    if reads:
        tasks["inputs"] = parts.task(
            "dataset.inputs",
            {"datasets": reads, "storage": places.storage},
            inlets=reads,
            places=places,
        )
        last = ("inputs",)
    tasks["ingest"] = parts.task(
        "dataset.ingest",
        # Promised types help to read a text file, unless a transform makes other ones of them.
        {"source": source, "columns": None if dataset.transforms else dataset.columns, **where},
        *last,
        inlets=reads if isinstance(dataset.source, DatasetSource) else (),
        places=places,
    )
    last = ("ingest",)
    if dataset.transforms:
        tasks["transform"] = parts.task(
            "dataset.transform",
            {"transforms": parts.transforms(dataset.transforms, places), **where},
            *last,
            inlets=reads,
            places=places,
        )
        last = ("transform",)
    published = {
        "dataset": full_name,
        "write": parts.dump(dataset.write),
        "storage": places.storage,
    }
    tasks["check"] = parts.task(
        "dataset.check",
        {
            "checks": [parts.dump(check) for check in dataset.checks],
            "columns": dataset.columns,
            **published,
        },
        *last,
        places=places,
    )
    tasks["publish"] = parts.task(
        "dataset.publish",
        published,
        "check",
        outlets=[full_name],
        places=places,
    )
    return tasks


def _doc(full_name: str, dataset: Dataset, reads: list[str]) -> str:
    lines = [f"### Dataset `{full_name}`", "", dataset.description.strip() or "", ""]
    lines += [f"* source: `{dataset.source.type}`", f"* write mode: `{dataset.write.mode}`"]
    lines += [f"* reads: `{name}`" for name in reads]
    lines += [f"* check: `{check.check}`, on fail {check.on_fail}" for check in dataset.checks]
    return "\n".join(lines) + "\n"
