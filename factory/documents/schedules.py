"""What starts a DAG: times, and the assets of datasets and models."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from factory.base.section import qualify
from factory.documents.dag import Asset, Document, PythonObject
from factory.documents.installation import Installation
from factory.lake.storage.address import dataset_uri
from factory.team.schedule import Schedule
from factory.team.team import TeamConfig

When = str | tuple[Asset, ...] | PythonObject | None
"""A cron expression or preset, assets that all must be new, or an Airflow condition or timetable."""


@dataclass(frozen=True)
class Start:
    """What starts a DAG, and in which time zone its times are."""

    when: When
    timezone: str = "UTC"


def asset(dataset: str, installation: Installation) -> Asset:
    """The asset of the dataset `team.dataset`."""
    return Asset(dataset, dataset_uri(installation.storage, dataset), "dataset")


def assets(datasets: Iterable[str], installation: Installation) -> tuple[Asset, ...]:
    """The assets of datasets, in their order."""
    return tuple(asset(dataset, installation) for dataset in datasets)


def model_asset(model: str) -> Asset:
    """The asset of the model `team.model`: its champion."""
    return Asset(model, f"x-mlflow://models/{model}", "model")


def asset_data(team: TeamConfig, installation: Installation) -> Callable[[str], Document]:
    """What gives the asset of a full name that a team has written in its own DAGs and tasks: of a model, or of a dataset."""
    models = team.known_models

    def data(name: str) -> Document:
        found = model_asset(name) if name in models else asset(name, installation)
        return found.as_data()

    return data


def drift_asset(model: str) -> Asset:
    """The asset whose events say that the model `team.model` meets other data by now."""
    return Asset(f"{model}.drift", f"x-mlflow://drift/{model}", "drift")


def schedule(when: Schedule, team: TeamConfig, installation: Installation) -> Start:
    """What starts a DAG.

    What a name means follows from the one team file: it is the team's own model, or a dataset.
    """
    zone = when.timezone or team.defaults.timezone
    return Start(_when(when, team, installation, zone), zone)


def _when(when: Schedule, team: TeamConfig, installation: Installation, zone: str) -> When:
    if not when.datasets:
        return when.cron
    models = {f"{team.team}.{name}" for name in team.models}
    names = [qualify(reference, team.team) for reference in when.datasets]
    starts = tuple(
        model_asset(name) if name in models else asset(name, installation) for name in names
    )
    if when.cron is None and (when.all or len(names) == 1):
        return starts
    condition = _all_of(starts) if when.all else _any_of(*starts)
    return condition if when.cron is None else _at_times_or(when.cron, zone, condition)


def or_when(start: Start, asset: Asset) -> Start:
    """A start, as `schedule` makes it, by which an asset's event starts a run too."""
    return replace(start, when=_or_when(start, asset))


def _or_when(start: Start, asset: Asset) -> When:
    match start.when:
        case None:
            return (asset,)
        case str() as cron:
            return _at_times_or(cron, start.timezone, asset)
        case PythonObject(kind, arguments={"timetable": timetable, "assets": condition}):
            either = _any_of(condition, asset)
            return PythonObject(kind, arguments={"timetable": timetable, "assets": either})
        case PythonObject() as condition:
            return _any_of(condition, asset)
        case (one,):
            return _any_of(one, asset)
        case several:
            return _any_of(_all_of(several), asset)


def _all_of(starts: tuple[Asset, ...]) -> PythonObject:
    return PythonObject("airflow.sdk.AssetAll", starts)


def _any_of(*starts: Asset | PythonObject) -> PythonObject:
    return PythonObject("airflow.sdk.AssetAny", starts)


def _at_times_or(cron: str, zone: str, condition: Asset | PythonObject) -> PythonObject:
    timetable = PythonObject("airflow.sdk.CronTriggerTimetable", (cron,), {"timezone": zone})
    return PythonObject(
        "airflow.sdk.AssetOrTimeSchedule",
        arguments={"timetable": timetable, "assets": condition},
    )
