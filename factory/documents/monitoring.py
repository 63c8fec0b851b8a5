"""A model's monitoring document: measure, report, breach, retrain."""

from typing import Any

from factory.base.section import qualify
from factory.documents.dag import TRACKED, Dag, Task, Tasks
from factory.documents.installation import Installation
from factory.documents.schedules import assets, drift_asset, schedule
from factory.documents.team_dag import dump, notifiers, team_dag, transforms, with_workspace
from factory.monitoring.sections import Monitor
from factory.team.schedule import Schedule
from factory.team.team import TeamConfig
from factory.training.model import Model


def monitoring_id(team: str, model: str) -> str:
    """The id of the DAG that watches a model."""
    return f"{team}.{model}.monitor"


def monitoring_document(team: TeamConfig, name: str, installation: Installation) -> Dag:
    """The DAG `<team>.<name>.monitor`, which may start a training by the model's drift asset.

    Raises:
        ValueError: The model has no section `monitor`.
    """
    model = team.models[name]
    if model.monitor is None:
        raise ValueError(f"model {name} has no section `monitor`")
    full_name, watched = f"{team.team}.{name}", _watched(team.team, name, model, model.monitor)
    tasks = _tasks(team, model, model.monitor, full_name, watched, installation)
    return team_dag(
        team,
        model,
        description=f"Watches the model {full_name}.",
        doc=_doc(full_name, model, watched, model.monitor),
        start=schedule(_when(name, model, model.monitor), team, installation),
        tags=("model", "monitoring"),
        params=("versions",),
        shared=installation.shared(
            verify=model.verify,
            model=full_name,
            reads=_looked_at(watched),
            watched=watched,
            section=_section(model, installation),
            monitor=dump(model.monitor),
        ),
        tasks=with_workspace(tasks, installation),
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
    """Which datasets are looked at, by full name; see `factory.monitoring.window_rows.MonitoredData`."""
    train_on = [qualify(reference, team) for reference in model.train_on.datasets]
    watched: dict[str, Any] = {"train_on": train_on}
    if model.predict is not None and _watches_predictions(model, monitor):
        watched["current"] = [qualify(reference, team) for reference in model.prediction_reads]
        watched["predictions"] = f"{team}.{model.predict.output_of(name)}"
    else:
        first = qualify(monitor.input, team) if monitor.input is not None else train_on[0]
        watched["current"] = list(dict.fromkeys((first, *train_on[1:])))
    if monitor.truth is not None:
        watched["truth"] = qualify(monitor.truth.dataset, team)
    return watched


def _looked_at(watched: dict[str, Any]) -> tuple[str, ...]:
    """The datasets of which `inputs` decides what is read, without the truth."""
    if "predictions" in watched:
        # Which snapshot of the input was predicted, the predictions say themselves.
        return (watched["predictions"], *watched["current"][1:])
    return tuple(watched["current"])


def _tasks(
    team: TeamConfig,
    model: Model,
    monitor: Monitor,
    full_name: str,
    watched: dict[str, Any],
    installation: Installation,
) -> Tasks:
    truth = [watched["truth"]] if "truth" in watched else []
    looked_at = _looked_at(watched)
    read = dict.fromkeys([*looked_at, *watched["current"], *watched["train_on"], *truth])
    told = notifiers("on_breach", team, model) if "notify" in monitor.on_breach else ()
    module = "monitoring" if model.entities is None else "entity_monitoring"
    training = Task("retrain", f"{module}.retrain", ("breach",), outlets=(drift_asset(full_name),))
    return (
        Task("inputs", f"{module}.inputs", inlets=assets([*looked_at, *truth], installation)),
        Task("measure", f"{module}.measure", ("inputs",), inlets=assets(read, installation)),
        Task("report", f"{module}.report", ("measure",), TRACKED),
        Task(
            "breach",
            f"{module}.breach",
            ("report",),
            arguments={"notify": told} if told else {},
        ),
        *((training,) if monitor.retrains else ()),
    )


def _section(model: Model, installation: Installation) -> dict[str, Any]:
    """The model's section without what is not needed here, the text of SQL files in it."""
    section = model.as_trained("predict")
    if model.transforms:
        section["transforms"] = transforms(model.transforms, installation)
    if model.predict is not None and model.predict.transforms is not None:
        section["predict"]["transforms"] = transforms(model.predict.transforms, installation)
    return section


def _doc(full_name: str, model: Model, watched: dict[str, Any], monitor: Monitor) -> list[str]:
    lines = [f"### Monitoring of `{full_name}`", ""]
    if "predictions" in watched:
        lines.append(f"* predictions: `{watched['predictions']}`")
    lines += [
        f"* rows of today: `{watched['current'][0]}`",
        *(f"* compared with the training on: `{name}`" for name in watched["train_on"]),
        f"* drift of numbers: {monitor.drift.numeric.method}",
        f"* drift of categories: {monitor.drift.categorical.method}",
    ]
    if model.entities is not None:
        lines.append(f"* a verdict for each value of `{model.entities.column}`, in one report")
    if "truth" in watched:
        lines.append(f"* truth: `{watched['truth']}`")
    lines += [
        f"* a breach: {monitor.windows.breach} of the last {monitor.windows.of} windows are bad",
        f"* on a breach: {', '.join(monitor.on_breach) or 'nothing but the report'}",
        f"* MLflow: runs with `role = monitor` in the experiment `{full_name}`",
    ]
    return lines
