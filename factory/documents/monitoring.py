"""A model's monitoring document: measure, report, breach."""

from typing import Any

from factory.base.section import qualify
from factory.documents import document as parts
from factory.documents.dataset import VERSIONS
from factory.documents.document import Document
from factory.documents.installation import Places
from factory.documents.notification import with_targets
from factory.documents.shared import Shared
from factory.monitoring.sections import Monitor
from factory.team.schedule import Schedule
from factory.team.team import TeamConfig
from factory.training.model import Model


def monitoring_id(team: str, model: str) -> str:
    """The id of the DAG that watches a model."""
    return f"{team}.{model}.monitor"


def monitoring_document(team: TeamConfig, name: str, places: Places) -> Document:
    """The DAG `<team>.<name>.monitor`, which may start a training by the model's drift asset.

    Raises:
        ValueError: The model has no section `monitor`.
    """
    model = team.models[name]
    if model.monitor is None:
        raise ValueError(f"model {name} has no section `monitor`")
    watched = _watched(team.team, name, model, model.monitor)
    return parts.dag(
        team,
        description=f"Watches the model {watched['model']}.",
        doc=_doc(watched, model.monitor),
        when=parts.schedule(_when(name, model, model.monitor), team, places),
        tags=("model", "monitoring", team.team),
        params={"versions": VERSIONS},
        tasks=parts.with_workspace(_tasks(team, model, model.monitor, watched, places)),
        shared=Shared(
            places.storage,
            places.workspace,
            places.storage_connection,
            model=watched["model"],
            reads=tuple(_looked_at(watched)),
            section=_config(model, places),
            monitor=parts.dump(model.monitor),
        ),
        about=model,
    )


def _watches_predictions(model: Model, monitor: Monitor) -> bool:
    """Whether today's rows are those that the model's own predictions are about."""
    if model.predict is None:
        return False
    return monitor.input is None or monitor.input == model.predict.input


def _when(name: str, model: Model, monitor: Monitor) -> Schedule:
    if monitor.schedule is not None:
        return monitor.schedule
    if model.predict is not None and _watches_predictions(model, monitor):
        return Schedule(any=(model.predict.output_of(name),))
    if monitor.input is not None:
        return Schedule(any=(monitor.input,))
    return Schedule(all=model.train_on.all, any=model.train_on.any)


def _watched(team: str, name: str, model: Model, monitor: Monitor) -> dict[str, Any]:
    """Which datasets are looked at, by full name; see `factory.monitoring.measure.Watched`."""
    train_on = [qualify(reference, team) for reference in model.train_on.datasets]
    watched: dict[str, Any] = {"model": f"{team}.{name}", "train_on": train_on}
    if model.predict is not None and _watches_predictions(model, monitor):
        watched["current"] = [qualify(reference, team) for reference in model.prediction_reads]
        watched["predictions"] = f"{team}.{model.predict.output_of(name)}"
    else:
        first = qualify(monitor.input, team) if monitor.input is not None else train_on[0]
        watched["current"] = list(dict.fromkeys((first, *train_on[1:])))
    if monitor.truth is not None:
        watched["truth"] = qualify(monitor.truth.dataset, team)
    return watched


def _tasks(
    team: TeamConfig, model: Model, monitor: Monitor, watched: dict[str, Any], places: Places
) -> dict[str, Any]:
    truth, looked_at = watched.get("truth"), _looked_at(watched)
    read = list(
        dict.fromkeys(
            [*looked_at, *watched["current"], *watched["train_on"], *([truth] if truth else [])]
        )
    )
    told = with_targets("on_breach", team, model) if "notify" in monitor.on_breach else {}
    breach = parts.task(
        "monitoring.breach",
        {"train_on": watched["train_on"], **told},
        "report",
        places=places,
    )
    if monitor.retrains:
        breach["outlets"] = [parts.drift_asset(watched["model"])]
    return {
        "inputs": parts.task(
            "monitoring.inputs",
            {"truth": truth} if truth else None,
            inlets=[*looked_at, *([truth] if truth else [])],
            places=places,
        ),
        "measure": parts.task(
            "monitoring.measure",
            {"watched": watched},
            "inputs",
            inlets=read,
            places=places,
        ),
        "report": parts.task("monitoring.report", None, "measure", places=places),
        "breach": breach,
    }


def _looked_at(watched: dict[str, Any]) -> list[str]:
    """The datasets of which `inputs` decides what is read, without the truth."""
    if "predictions" in watched:
        # Which snapshot of the input was predicted, the predictions say themselves.
        return [watched["predictions"], *watched["current"][1:]]
    return list(watched["current"])


def _config(model: Model, places: Places) -> dict[str, Any]:
    """The model's section without what is not needed here, the text of SQL files in it."""
    section = model.as_trained("predict")
    section["transforms"] = parts.transforms(model.transforms, places)
    if model.predict is not None and model.predict.transforms is not None:
        section["predict"]["transforms"] = parts.transforms(model.predict.transforms, places)
    return section


def _doc(watched: dict[str, Any], monitor: Monitor) -> str:
    lines = [f"### Monitoring of `{watched['model']}`", ""]
    if "predictions" in watched:
        lines.append(f"* predictions: `{watched['predictions']}`")
    lines += [
        f"* rows of today: `{watched['current'][0]}`",
        *(f"* compared with the training on: `{name}`" for name in watched["train_on"]),
        f"* drift of numbers: {monitor.drift.numeric.method}",
        f"* drift of categories: {monitor.drift.categorical.method}",
    ]
    if "truth" in watched:
        lines.append(f"* truth: `{watched['truth']}`")
    lines += [
        f"* a breach: {monitor.windows.breach} of the last {monitor.windows.of} windows are bad",
        f"* on a breach: {', '.join(monitor.on_breach) or 'nothing but the report'}",
        f"* MLflow: runs with `role = monitor` in the experiment `{watched['model']}`",
    ]
    return "\n".join(lines) + "\n"
