"""Where a version of a model comes from: from the answer it gives back to the rows and the file it was trained by."""

from datetime import datetime

from pydantic import Field, ValidationError

from factory.base.dates import parse_time
from factory.base.errors import TerminalError
from factory.base.git import Commit
from factory.base.values import Result
from factory.lake.table import Lake
from factory.models import registry
from factory.models.champion_history import (
    ChampionHistory,
    HistoryEntry,
    Live,
    champion_history,
)
from factory.models.configuration import difference, recorded_json, recorded_section
from factory.models.gate_decision import GateDecision
from factory.models.origin import StartEvent, commit_in, events_in
from factory.models.registry import Version
from factory.models.tracking import GATE_DECISION, Tracking
from factory.models.training_run import identity
from factory.provenance.snapshot import SnapshotOrigin, origin_if_there

_DAG_ID, _RUN_ID = identity("", "")


class ConfigurationOrigin(Result):
    """The configuration that a version was trained by."""

    hash: str
    previous: int | None
    """The version before it; None for the first."""
    is_as_before: bool
    """Whether that version was trained by the same one."""
    differs: tuple[str, ...]
    """The lines in which they differ; none where one of them was not kept."""
    commit: Commit | None
    """Of the team files, where git knew it."""


class VersionOrigin(Result):
    """A version of a model, and all that led to it and came of it."""

    model: str
    """The full name, `team.model`."""
    version: int
    aliases: tuple[str, ...]
    registered_at: datetime
    trigger: str
    """What started its training: `asset`, `drift`, `schedule`, `manual` or `backfill`; empty where nobody knows."""
    events: tuple[StartEvent, ...]
    dag_id: str
    run_id: str
    """Airflow's ids of its training run."""
    snapshots: tuple[SnapshotOrigin, ...]
    configuration: ConfigurationOrigin
    trial: str
    trials: int | None
    """Of how many it is the best."""
    estimator: str
    params: dict[str, str]
    objective: str
    """The goal and the metric, such as `maximize f1_macro`."""
    metrics: dict[str, float]
    """With `validation_` and `test_` in front."""
    rows: dict[str, int]
    """How many there were in each part."""
    gate: GateDecision | None
    """None where no decision was kept."""
    verdict: str
    """The gate's: `promote`, `approve` or `keep`; empty where it did not get to decide."""
    why: str
    """The gate's reason."""
    approval: str
    """What came of asking a person; empty where nobody was asked."""
    outcome: str
    """`promoted` or `kept`; empty where the run did not get to it."""
    history: tuple[HistoryEntry, ...]
    """What was done about it in production."""
    live: tuple[Live, ...]
    """When it was in production."""
    pages: dict[str, str] = Field(default_factory=dict)
    """Where a person looks at more, by what is there."""


def meant_version(model: str, number: int | None, at: str | None, *, tracking: Tracking) -> Version:
    """The version that a person asks about: by its number, by a date, else the champion, else the newest.

    Raises:
        UnknownModelError: There is no such model or version.
        TerminalError: No version was in production at the date.
        TrackingError: The MLflow server does not answer.
    """
    if at is not None:
        spans = champion_history(model, tracking=tracking).live_within(*parse_time(at))
        live = [span.version for span in spans if span.version is not None]
        if not live:
            raise TerminalError(
                f"{model}: no version was in production on {at}: see `factory champion {model} --history`"
            )
        number = live[-1]
    if number is not None:
        return registry.version(model, number, tracking=tracking)
    champion = registry.champion(model, tracking=tracking)
    return champion or registry.versions(model, tracking=tracking)[0]


def version_origin(version: Version, *, lake: Lake, tracking: Tracking) -> VersionOrigin:
    """All that led to a version, and what came of it.

    Args:
        version: Which one.
        lake: Where the snapshots lie.
        tracking: The MLflow server.

    Raises:
        TrackingError: The MLflow server does not answer.
    """
    record, tags = version.record, version.tags
    run_tags, counts = _of_run(record.mlflow_run_id, tracking)
    history = champion_history(version.model, tracking=tracking)
    return VersionOrigin(
        model=version.model,
        version=version.number,
        aliases=version.aliases,
        registered_at=record.registered_at,
        trigger=tags.get("trigger", ""),
        events=events_in(run_tags),
        dag_id=tags.get(_DAG_ID, ""),
        run_id=tags.get(_RUN_ID, ""),
        snapshots=tuple(
            origin_if_there(name, number, lake=lake)
            for name, number in sorted(record.snapshots.items())
        ),
        configuration=_configuration(version, run_tags, tracking),
        trial=tags.get("trial", ""),
        trials=counts.get("trials"),
        estimator=record.estimator,
        params=_params(tags.get("trial_run", ""), tracking),
        objective=run_tags.get("objective", ""),
        metrics=record.metrics,
        rows={part: counts[f"rows_{part}"] for part in _PARTS if f"rows_{part}" in counts},
        gate=_decision(record.mlflow_run_id, tracking),
        verdict=tags.get("gate", ""),
        why=tags.get("gate_why", ""),
        approval=tags.get("approval", ""),
        outcome=tags.get("outcome", ""),
        history=tuple(
            one for one in history.entries if version.number in (one.version, one.before)
        ),
        live=_live(version.number, history),
        pages=_pages(version, tracking),
    )


_PARTS = ("train", "validation", "test")


def _live(number: int, history: ChampionHistory) -> tuple[Live, ...]:
    return tuple(span for span in history.live() if span.version == number)


def _of_run(run_id: str, tracking: Tracking) -> tuple[dict[str, str], dict[str, int]]:
    """The tags of a training run in MLflow, and its metrics that are counts; none where it is gone."""
    if not run_id or not tracking.is_active(run_id):
        return {}, {}
    with tracking.asked() as client:
        data = client.get_run(run_id).data
    counts = {
        name: int(value)
        for name, value in data.metrics.items()
        if name == "trials" or name.startswith("rows_")
    }
    return dict(data.tags), counts


def _params(run_id: str, tracking: Tracking) -> dict[str, str]:
    if not run_id or not tracking.is_active(run_id):
        return {}
    with tracking.asked() as client:
        params = dict(client.get_run(run_id).data.params)
    params.pop("estimator", None)
    return params


def _configuration(
    version: Version, run_tags: dict[str, str], tracking: Tracking
) -> ConfigurationOrigin:
    earlier = [
        one
        for one in registry.versions(version.model, tracking=tracking)
        if one.number < version.number
    ]
    previous = earlier[0] if earlier else None
    is_as_before = (
        previous is not None and previous.record.config_hash == version.record.config_hash
    )
    differs: list[str] = []
    if previous is not None and not is_as_before:
        before, now = (
            recorded_section(one.record.mlflow_run_id, tracking) for one in (previous, version)
        )
        if before is not None and now is not None:
            differs = difference(before, now)
    return ConfigurationOrigin(
        hash=version.record.config_hash,
        previous=previous.number if previous else None,
        is_as_before=is_as_before,
        differs=tuple(differs),
        commit=commit_in(run_tags),
    )


def _decision(run_id: str, tracking: Tracking) -> GateDecision | None:
    found = recorded_json(run_id, GATE_DECISION, tracking) if run_id else None
    try:
        return None if found is None else GateDecision.from_json(found)
    except ValidationError:
        return None  # another release's; the version's tags have the main points


def _pages(version: Version, tracking: Tracking) -> dict[str, str]:
    pages = {"version": tracking.version_page(version.model, version.number)}
    run_id = version.record.mlflow_run_id
    if run_id and tracking.is_active(run_id):
        with tracking.asked() as client:
            experiment = client.get_run(run_id).info.experiment_id
        pages["training"] = tracking.run_page(experiment, run_id)
    return pages
