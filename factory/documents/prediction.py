"""A model's prediction document: predict, check, publish."""

from factory.base.section import qualify
from factory.documents.dag import PUBLISH, Dag, Task, Tasks
from factory.documents.installation import Installation
from factory.documents.schedules import assets, model_asset, schedule
from factory.documents.team_dag import dump, notify, team_dag, transforms, with_workspace
from factory.models.predict import Predict
from factory.team.team import TeamConfig


def prediction_id(team: str, model: str) -> str:
    """The id of the DAG that predicts with a model's champion."""
    return f"{team}.{model}.predict"


def prediction_document(team: TeamConfig, name: str, installation: Installation) -> Dag:
    """The DAG `<team>.<name>.predict`, which reads datasets and publishes one.

    Raises:
        ValueError: The model has no section `predict`.
    """
    model = team.models[name]
    if model.predict is None:
        raise ValueError(f"model {name} has no section `predict`")
    full_name, output = f"{team.team}.{name}", f"{team.team}.{model.predict.output_of(name)}"
    checked = (n for check in model.predict.checks for n in check.references().values())
    read = (*model.prediction_reads, *checked)
    reads = tuple(dict.fromkeys(qualify(reference, team.team) for reference in read))
    shared = installation.shared(
        verify=model.verify,
        dataset=output,
        model=full_name,
        reads=reads,
        write=dump(model.predict.write),
    )
    return team_dag(
        team,
        model,
        description=model.predict.description or f"Predicts with the champion of {full_name}.",
        doc=_doc(full_name, output, model.predict, reads),
        start=schedule(model.predict.when(name), team, installation),
        tags=("model", "prediction"),
        params=("publish_unchanged", "versions"),
        shared=shared,
        tasks=with_workspace(_tasks(team, name, model.predict, reads, installation), installation),
    )


def _tasks(
    team: TeamConfig,
    name: str,
    section: Predict,
    reads: tuple[str, ...],
    installation: Installation,
) -> Tasks:
    model, output = team.models[name], f"{team.team}.{section.output_of(name)}"
    read = (*assets(reads, installation), model_asset(f"{team.team}.{name}"))
    form = {
        # Not `task`: Airflow's context has a task of its own.
        "model_task": model.learning_task.name,
        "transforms": transforms(model.prediction_transforms, installation),
        # What the target is taken for where transforms name it and the rows lack it.
        # Transforms that were written for this input know its columns.
        "absent": model.absent_target if section.transforms is None else {},
        "keep": section.keep,
        "batch_rows": section.batch_rows,
        **({"on_request": on_request} if (on_request := dump(section.on_request)) else {}),
    }
    # Whose model answers a row, where there is one for each entity.
    of_entities = {} if model.entities is None else {"entities": dump(model.entities)}
    module = "prediction" if model.entities is None else "entity_prediction"
    checks = {"checks": [dump(check.with_full_names(team.team)) for check in section.checks]}
    return (
        Task("inputs", f"{module}.inputs", arguments=of_entities, inlets=read),
        Task(
            "predict",
            f"{module}.predict",
            ("inputs",),
            arguments={**form, **of_entities},
            inlets=read,
        ),
        Task("check", f"{module}.check", ("predict",), arguments=checks),
        Task(
            "publish",
            f"{module}.publish",
            ("check",),
            PUBLISH,
            outlets=assets((output,), installation),
            options=notify("on_dataset", team, model),
        ),
        *_export(section, installation),
    )


def _export(section: Predict, installation: Installation) -> Tasks:
    """The task that writes to a database; not in a sample, for it cannot be taken back."""
    if section.export is None or installation.is_sample:
        return ()
    # Also where the predictions are what they were: the run before may not have come so far.
    options = {"trigger_rule": "none_failed"}
    arguments = {"export": dump(section.export)}
    return (
        Task("export", "prediction.export", ("publish",), arguments=arguments, options=options),
    )


def _doc(full_name: str, output: str, section: Predict, reads: tuple[str, ...]) -> list[str]:
    export = section.export
    return [
        *(f"### Predictions of `{full_name}`", "", section.description.strip(), ""),
        f"* dataset: `{output}`",
        f"* predicts the rows of: `{reads[0]}`",
        *(f"* reads: `{name}`" for name in reads[1:]),
        *(f"* keeps: `{column}`" for column in section.keep),
        f"* in batches of {section.batch_rows} rows",
        f"* write mode: `{section.write.mode}`",
        *(f"* check: `{check.check}`, on fail {check.on_fail}" for check in section.checks),
        *(
            ()
            if export is None
            else (f"* then in: table `{export.table}` of `{export.connection}`",)
        ),
    ]
