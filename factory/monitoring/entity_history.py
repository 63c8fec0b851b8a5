"""The windows of a model with one for each entity: one MLflow run a window, and in its tags a verdict for each entity."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from mlflow.entities import Run
from mlflow.utils.mlflow_tags import MLFLOW_RUN_NOTE

from factory.base.texts import table_cell
from factory.base.values import Result
from factory.models.entity_names import entity_name
from factory.models.tracking import Tracking
from factory.monitoring.entities import EntitiesMeasurement, EntityMeasurement
from factory.monitoring.history import (
    ASKED,
    LONGEST_TAG,
    ROLE,
    MeasuredWindow,
    RecordedWindow,
    WindowDecision,
    as_text,
    decide,
    label_of,
    record_run,
    was_asked_before,
)
from factory.monitoring.sections import Monitor
from factory.training.entity_parts import FALLBACK

logger = logging.getLogger(__name__)

_OF_ENTITIES = "entities"
"""The tag of windows of all entities, with their column."""
_LOOKED_THROUGH = 100
"""Windows that are read at most to find an entity's last ones, or as many as `windows.of` asks for."""
_MOST_LINES = 20
"""Entities that the table in a window's note has at most, the worst ones."""
_MOST_TOLD = 10
_LONGEST_ERROR = 200


class EntitiesDecision(Result):
    """What a window comes to for all entities."""

    breached: bool
    """Whether enough of the last windows were bad for at least one entity, this one among them."""
    retrain: bool
    why: str
    breaches: int
    """For how many entities."""
    entities: dict[str, str]
    """Some of those with a breach, the worst first, and why."""


class _Verdict(NamedTuple):
    """What one window was for one entity, as a tag says it: `3 bad`."""

    version: int
    """The version that was measured."""
    word: str
    """`bad`, `good`, or `few` where the window does not count."""


def record_entities(
    found: EntitiesMeasurement, *, dag_id: str, run_id: str, tracking: Tracking, files: Path
) -> RecordedWindow:
    """Log a window as one run of the model's experiment; a second try replaces the first one's.

    Args: see `factory.monitoring.history.record`.

    Raises:
        TrackingError: The MLflow server does not answer.
    """
    return record_run(
        found.model,
        f"monitor snapshot {next(iter(found.window.values()))}",
        _tags(found),
        _metrics(found),
        dag_id=dag_id,
        run_id=run_id,
        tracking=tracking,
        files=files,
    )


def _tags(found: EntitiesMeasurement) -> dict[str, str]:
    label = label_of(found.window)
    return {
        "model": found.model,
        _OF_ENTITIES: found.column,
        "window": label,
        "breached": str(bool(found.breached)).lower(),
        "counts": str(len(found.too_few) < len(found.measured)).lower(),
        "findings": _told({one.label: "; ".join(one.findings) for one in found.breached})[
            :LONGEST_TAG
        ],
        MLFLOW_RUN_NOTE: f"{label}:\n\n{markdown(found)}"[:LONGEST_TAG],
        **{f"window.{name}": str(version) for name, version in found.window.items()},
        **{_tag(one.entity): f"{one.version} {_word(one)}" for one in found.measured},
    }


def _metrics(found: EntitiesMeasurement) -> dict[str, float]:
    return {
        "rows": float(found.rows),
        "entities": float(found.models),
        "entities_breached": float(len(found.breached)),
        "entities_with_too_few_rows": float(len(found.too_few)),
        "entities_failed": float(len(found.failed)),
        **{f"drift/{_name(one.entity)}": one.worst for one in found.measured if one.columns},
    }


def _name(entity: str | None) -> str:
    return FALLBACK if entity is None else entity_name(entity)


def _tag(entity: str | None) -> str:
    return f"entity.{_name(entity)}"


def _word(found: EntityMeasurement) -> str:
    if not found.counts:
        return "few"
    return "bad" if found.breached else "good"


def _told(sentences: Mapping[str, str]) -> str:
    """What is said of entities, by their labels; of the first ones."""
    told = [f"{label}: {text}" for label, text in sentences.items()]
    more = [f"and {len(told) - _MOST_TOLD} more"] if len(told) > _MOST_TOLD else []
    return "; ".join((*told[:_MOST_TOLD], *more))


def markdown(found: EntitiesMeasurement, most: int = _MOST_LINES) -> str:
    """A table for people, the worst first: those that have failed, then those that are breached."""
    lines = [
        f"| {table_cell(label)} | | | failed: {table_cell(why[:_LONGEST_ERROR])} |"
        for label, why in found.failed.items()
    ]
    lines += [
        f"| {table_cell(one.label)} | {one.current_rows:,} | {one.worst:.2g} | {table_cell(_said(one))} |"
        for one in found.measured
    ]
    left = len(lines) - most
    more = [f"\nand {left:,} more"] if left > 0 else []
    head = f"| {table_cell(found.column)} | rows | drift / limit | |"
    return "\n".join([head, "|---|---|---|---|", *lines[:most], *more])


def _said(one: EntityMeasurement) -> str:
    findings = "; ".join(one.findings)
    return findings if one.breached else f"{one.verdict}{f' ({findings})' if findings else ''}"


def recent_entity_windows(model: str, most: int, *, tracking: Tracking) -> list[MeasuredWindow]:
    """The last windows of all entities together, the newest first; each is there once, as it was measured last.

    Args:
        model: The full name, `team.model`.
        most: How many.
        tracking: The MLflow server.

    Raises:
        TrackingError: The MLflow server does not answer.
    """
    return [_as_window(run, None) for run in _runs(model, most, tracking)]


def _runs(model: str, most: int, tracking: Tracking) -> list[Run]:
    experiment_id = tracking.ensure_experiment(model)
    tags = {**ROLE, "model": model}
    runs: dict[str, Run] = {}
    for run in tracking.find_runs(experiment_id, tags, most=most):
        if _OF_ENTITIES in run.data.tags:
            runs.setdefault(run.data.tags.get("window", ""), run)
    return list(runs.values())


def _as_window(run: Run, verdict: _Verdict | None) -> MeasuredWindow:
    tags = run.data.tags
    return MeasuredWindow(
        mlflow_run_id=run.info.run_id,
        version=0 if verdict is None else verdict.version,
        label=tags.get("window", ""),
        breached=tags.get("breached") == "true" if verdict is None else verdict.word == "bad",
        counts=tags.get("counts") == "true" if verdict is None else verdict.word != "few",
        findings=tags.get("findings", ""),
        at=run.info.start_time,
    )


def _windows_of(found: EntityMeasurement, runs: Sequence[Run]) -> list[MeasuredWindow]:
    """An entity's windows by its version, the newest first."""
    windows = []
    for run in runs:
        number, _, word = run.data.tags.get(_tag(found.entity), "").partition(" ")
        if number == str(found.version):
            windows.append(_as_window(run, _Verdict(found.version, word)))
    return windows


def act_on_entities(
    found: EntitiesMeasurement,
    recorded: RecordedWindow,
    monitor: Monitor,
    *,
    champions: Mapping[str, int],
    newest: Mapping[str, int],
    tracking: Tracking,
) -> EntitiesDecision:
    """Decide for each entity what a recorded window comes to; a request for a training is remembered in MLflow.

    Args:
        found: The newest window.
        recorded: Where it is kept.
        monitor: The section.
        champions: The number of the version in production, by registered model.
        newest: The newest snapshots of what the models are trained on.
        tracking: The MLflow server.

    Raises:
        TrackingError: The MLflow server does not answer.
    """
    runs = _runs(found.model, max(_LOOKED_THROUGH, monitor.windows.of), tracking)
    # A training is of all entities, whichever has asked for it.
    asked = was_asked_before(found.model, recorded, newest, tracking)
    decisions = [
        (
            one,
            decide(
                one,
                _windows_of(one, runs),
                monitor,
                champion=champions.get(one.model),
                newest=newest,
                asked_before=asked,
            ),
        )
        for one in found.measured
    ]
    decision = _together(found, decisions)
    tags = {"verdict": decision.why[:LONGEST_TAG]}
    if decision.retrain:
        tags[ASKED] = as_text(newest)
    tracking.log(recorded.mlflow_run_id, tags=tags)
    logger.info("%s: %s", "breached" if decision.breached else "not breached", decision.why)
    return decision


def _together(
    found: EntitiesMeasurement, decisions: Sequence[tuple[EntityMeasurement, WindowDecision]]
) -> EntitiesDecision:
    breached = {one.label: made.why for one, made in decisions if made.breached}
    some = dict(list(breached.items())[:_MOST_TOLD])
    if breached:
        why = f"{len(breached)} of {found.models} models: {_told(breached)}"
    else:
        why = _calm(found, decisions)
    return EntitiesDecision(
        breached=bool(breached),
        retrain=any(made.retrain for _, made in decisions),
        why=why,
        breaches=len(breached),
        entities=some,
    )


def _calm(
    found: EntitiesMeasurement, decisions: Sequence[tuple[EntityMeasurement, WindowDecision]]
) -> str:
    bad = {one.label: made.why for one, made in decisions if one.breached}
    said = _told(bad) if bad else "nothing has changed much"
    counts = {
        "have too few rows for a verdict": len(found.too_few),
        "could not be measured": len(found.failed),
    }
    beside = "".join(
        f"; {count} of {found.models} {what}" for what, count in counts.items() if count
    )
    return f"{said}{beside}"
