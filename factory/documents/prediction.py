"""A model's prediction document: predict, check, publish."""

from typing import Any

from factory.base.section import qualify
from factory.documents import document as parts
from factory.documents.dataset import PUBLISH_UNCHANGED, VERSIONS
from factory.documents.document import Document
from factory.documents.installation import Places
from factory.documents.notification import telling
from factory.documents.shared import Shared
from factory.models.predict import Predict
from factory.team.team import TeamConfig


def prediction_id(team: str, model: str) -> str:
    """The id of the DAG that predicts with a model's champion."""
    return f"{team}.{model}.predict"


def prediction_document(team: TeamConfig, name: str, places: Places) -> Document:
    """The DAG `<team>.<name>.predict`, which reads datasets and publishes one.

    Raises:
        ValueError: The model has no section `predict`.
    """
    model = team.models[name]
    if model.predict is None:
        raise ValueError(f"model {name} has no section `predict`")
    full_name, output = f"{team.team}.{name}", f"{team.team}.{model.predict.output_of(name)}"
    reads = [qualify(reference, team.team) for reference in model.prediction_reads]
    return parts.dag(
        team,
        description=model.predict.description or f"Predicts with the champion of {full_name}.",
        doc=_doc(full_name, output, model.predict, reads),
        when=parts.schedule(model.predict.when(name), team, places),
        tags=("model", "prediction", team.team),
        params={"publish_unchanged": PUBLISH_UNCHANGED, "versions": VERSIONS},
        tasks=parts.with_workspace(_tasks(team, name, model.predict, reads, places)),
        shared=Shared(
            places.storage,
            places.workspace,
            places.storage_connection,
            dataset=output,
            model=full_name,
            reads=tuple(reads),
            write=parts.dump(model.predict.write),
        ),
        about=model,
    )


def _tasks(
    team: TeamConfig, name: str, section: Predict, reads: list[str], places: Places
) -> dict[str, Any]:
    model, full_name = team.models[name], f"{team.team}.{name}"
    output = f"{team.team}.{section.output_of(name)}"
    tasks = {
        "inputs": parts.task(
            "prediction.inputs",
            inlets=reads,
            places=places,
        ),
        "predict": parts.task(
            "prediction.predict",
            {
                # Not `task`: Airflow's context has a task of its own.
                "model_task": model.task,
                "transforms": parts.transforms(model.prediction_transforms, places),
                # Transforms that were written for this input know its columns.
                # What the target is taken for where transforms name it and the rows lack it.
                "absent": {model.target: model.learning_task.sql_type}
                if section.transforms is None
                else {},
                "keep": list(section.keep),
                "batch_rows": section.batch_rows,
            },
            "inputs",
            inlets=reads,
            places=places,
        ),
        "check": parts.task(
            "prediction.check",
            {"checks": [parts.dump(check) for check in section.checks]},
            "predict",
            places=places,
        ),
        "publish": parts.task(
            "prediction.publish",
            None,
            "check",
            outlets=[output],
            **telling("on_dataset", team, model),
            places=places,
        ),
    }
    for task in ("inputs", "predict"):
        tasks[task]["inlets"].append(parts.model_asset(full_name))
    return tasks


def _doc(full_name: str, output: str, section: Predict, reads: list[str]) -> str:
    lines = [f"### Predictions of `{full_name}`", "", section.description.strip(), ""]
    lines += [
        f"* dataset: `{output}`",
        f"* predicts the rows of: `{reads[0]}`",
        *(f"* reads: `{name}`" for name in reads[1:]),
        *(f"* keeps: `{column}`" for column in section.keep),
        f"* in batches of {section.batch_rows} rows",
        f"* write mode: `{section.write.mode}`",
        *(f"* check: `{check.check}`, on fail {check.on_fail}" for check in section.checks),
    ]
    return "\n".join(lines) + "\n"
