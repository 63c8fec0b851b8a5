"""What is measured of a model that has one for each entity: each champion beside the rows that it learned from."""

import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import pyarrow as pa

from factory.base.errors import TerminalError
from factory.base.texts import one_of
from factory.base.values import Result
from factory.lake.snapshot import Snapshot
from factory.models import registry
from factory.models.entity_models import champions_to_use, versions_of_entities
from factory.models.predictor import load_predictor
from factory.models.record import ModelRecord
from factory.models.registry import NoChampionError, UnknownModelError
from factory.models.tracking import Tracking
from factory.models.used_champions import UsedChampions
from factory.monitoring.compared_rows import (
    PREDICTION,
    EmptyWindowError,
    compared_features,
    newest_entity_predictions,
)
from factory.monitoring.comparison import Side, compare_columns, compare_predictions, findings_of
from factory.monitoring.drift import ColumnDrift
from factory.monitoring.entity_window import EntityRows, Owners
from factory.monitoring.ground_truth import Quality
from factory.monitoring.measure import Measurement, looked_at, quality_of
from factory.monitoring.sections import Monitor
from factory.monitoring.window_rows import MonitoredData, WindowRows
from factory.training.entities import Entities
from factory.training.entity_parts import FALLBACK
from factory.training.model import Model
from factory.training.outcome import Failure, outcome_of

logger = logging.getLogger(__name__)

FEWEST = 10
"""Rows of the training below which nothing is compared with them: as few as an entity may have for its model."""

_SHOWN = 10


class EntityMeasurement(Measurement):
    """What was measured of one entity's model, or of the fallback."""

    entity: str | None
    """The value of the column, as text; None for the fallback."""

    @property
    def label(self) -> str:
        """What a person calls it."""
        return FALLBACK if self.entity is None else self.entity

    @property
    def compared(self) -> tuple[ColumnDrift, ...]:
        """The predictions, if they are compared, and the features, what differs most first."""
        prediction = [] if self.prediction is None else [self.prediction]
        found = (*prediction, *self.columns)
        return tuple(sorted(found, key=lambda one: one.excess, reverse=True))

    @property
    def most_different(self) -> str:
        """What differs most; empty where nothing is compared."""
        return next((one.column for one in self.compared), "")

    @property
    def worst(self) -> float:
        """The statistic of what differs most, in units of its limit."""
        return next((one.excess for one in self.compared), 0.0)

    @property
    def verdict(self) -> str:
        """In two or three words."""
        if not self.counts:
            return "too few rows"
        return "breached" if self.breached else "nothing has changed much"


class EntitiesMeasurement(Result):
    """One window of all entities."""

    model: str
    """The full name, `team.model`."""
    column: str
    """The column of the entities."""
    window: dict[str, int]
    """What is looked at: dataset to version."""
    rows: int
    """How many rows there are."""
    measured: tuple[EntityMeasurement, ...]
    """The worst first: those that are breached, the others by what differs most, those with too few rows."""
    failed: dict[str, str]
    """Those that could not be measured, and why."""
    without_rows: tuple[str, ...]
    """Entities that have a champion and no row in this window."""
    unanswered_rows: int
    """Rows for which nothing answers: their entity has no champion, and there is no fallback."""

    @property
    def breached(self) -> tuple[EntityMeasurement, ...]:
        """Those for which the window is a bad one, the worst first."""
        return tuple(one for one in self.measured if one.breached)

    @property
    def too_few(self) -> tuple[EntityMeasurement, ...]:
        """Those with too few rows for a verdict."""
        return tuple(one for one in self.measured if not one.counts)

    @property
    def models(self) -> int:
        """How many models answer for rows of the window."""
        return len(self.measured) + len(self.failed)


def measure_entities(
    watched: MonitoredData,
    model: Model,
    monitor: Monitor,
    snapshots: Mapping[str, Snapshot],
    *,
    rows: WindowRows,
    tracking: Tracking,
) -> EntitiesMeasurement:
    """Measure the window that the given snapshots are, for each model that answers for rows of it.

    The versions are those that made the predictions; where there are no predictions, the champions. Each is compared
    with the rows of its entity in the snapshots that it was trained on. The fallback learned from all rows; it is
    compared with those of the entities that it answers for.

    Args:
        watched: What is looked at.
        model: The model's section of the team file.
        monitor: The part about monitoring.
        snapshots: The snapshot of every dataset that is looked at: see `factory.monitoring.measure.measure`.
        rows: Where the rows come from.
        tracking: The MLflow server.

    Raises:
        EmptyWindowError: No entity has a champion yet, or nothing was predicted.
        TerminalError: The rows lack the column, or no model could be measured.
    """
    entities = _entities(model)
    versions = {name: snapshot.version for name, snapshot in snapshots.items()}
    champions = _champions(watched.model, entities, tracking)
    said: dict[str, pa.ChunkedArray] | None = None
    answering = champions.versions
    if watched.predictions is not None:
        made = newest_entity_predictions(
            rows.lake,
            watched.predictions,
            versions[watched.predictions],
            monitor.sample_rows,
            rows.workspace,
        )
        versions[watched.current[0]] = made.input_version
        answering, said = made.versions, made.values
    records, failed = _records(watched.model, answering, tracking)
    by_reference = _by_reference(records, rows, failed)
    if not by_reference:
        raise TerminalError(_none_measured(watched.model, failed))
    some = next(iter(by_reference.values()))[0]
    scratch = rows.folder("current")
    current = EntityRows.of(rows.current(versions, some, scratch), records, entities)
    owners = Owners(watched.model, frozenset(answering), champions, frozenset(current.places))
    quality = quality_of(watched, model, monitor, snapshots, answering, rows.lake, rows.workspace)
    compared = _Comparison(watched, model, monitor, versions, owners, current, said, tracking)
    measured = list(compared.all(by_reference.values(), rows, quality, failed))
    if not measured and not failed:
        raise EmptyWindowError(f"{watched.current[0]} has no rows to look at")
    if not measured:
        raise TerminalError(_none_measured(watched.model, failed))
    result = EntitiesMeasurement(
        model=watched.model,
        column=entities.column,
        window={name: versions[name] for name in looked_at(watched)},
        rows=current.table.num_rows,
        measured=tuple(sorted(measured, key=_worst_first)),
        failed=failed,
        without_rows=tuple(sorted(champions.by_entity.keys() - current.places.keys())),
        unanswered_rows=owners.unanswered(current),
    )
    logger.info(
        "%s: %d of %d models meet other data than they were trained on; %d have too few rows, %d have failed",
        *(result.model, len(result.breached), result.models, len(result.too_few), len(failed)),
    )
    return result


def _entities(model: Model) -> Entities:
    if model.entities is None:
        raise ValueError("the model has no section `entities`")
    return model.entities


def _champions(model: str, entities: Entities, tracking: Tracking) -> UsedChampions:
    try:
        return UsedChampions.of(
            champions_to_use(model, has_fallback=entities.fallback == "all", tracking=tracking)
        )
    except NoChampionError:
        raise EmptyWindowError(
            f"{model} has no champion of any entity yet: there is nothing to watch"
        ) from None


def _records(
    model: str, numbers: Mapping[str, int], tracking: Tracking
) -> tuple[list[ModelRecord], dict[str, str]]:
    """The records of versions, and why some have none."""
    found = versions_of_entities(model, numbers, tracking=tracking)
    records = [one.record for one in found]
    failed: dict[str, str] = {}
    if model in numbers:
        try:
            records.append(registry.version(model, numbers[model], tracking=tracking).record)
        except UnknownModelError as error:
            failed[FALLBACK] = str(error)
    there = {model, *(record.model for record in records)}
    for name in numbers.keys() - there:
        gone = (
            f"the registry has no version {numbers[name]} of {name} any more: train the model again"
        )
        failed[name.removeprefix(f"{model}.")] = gone
    return records, failed


def _by_reference(
    records: Iterable[ModelRecord], rows: WindowRows, failed: dict[str, str]
) -> dict[tuple[tuple[str, int], ...], list[ModelRecord]]:
    """The versions by what they were trained on, which is read once for all of them."""
    found: dict[tuple[tuple[str, int], ...], list[ModelRecord]] = defaultdict(list)
    for record in records:
        try:
            found[tuple(rows.reference_versions(record).items())].append(record)
        except TerminalError as error:
            failed[_label(record)] = str(error)
    return found


def _label(record: ModelRecord) -> str:
    return FALLBACK if record.entity is None else record.entity


@dataclass(frozen=True)
class _Comparison:
    """Compares one model after the other."""

    watched: MonitoredData
    model: Model
    monitor: Monitor
    versions: Mapping[str, int]
    owners: Owners
    current: EntityRows
    said: Mapping[str, pa.ChunkedArray] | None
    """What was predicted, by registered model; None where the models are asked here."""
    tracking: Tracking

    def all(
        self,
        by_reference: Iterable[Sequence[ModelRecord]],
        rows: WindowRows,
        quality: Mapping[str, Quality],
        failed: dict[str, str],
    ) -> Iterator[EntityMeasurement]:
        """All models that are about rows of the window; what one of them fails of is no failure of the others.

        Args:
            by_reference: The versions, those together that were trained on the same snapshots.
            rows: Where the rows come from.
            quality: How good predictions were, by registered model.
            failed: Gets those that have failed, and why.
        """
        entities = _entities(self.model)
        for number, alike in enumerate(by_reference):
            scratch = rows.folder(f"reference-{number}")
            reference = EntityRows.of(rows.reference(alike[0], scratch), alike, entities)
            for record in alike:
                if not self.owners.has_rows(record, self.current):
                    continue
                found = outcome_of(
                    record.model,
                    partial(self.measure, record, reference, quality.get(record.model)),
                )
                if isinstance(found, Failure):
                    failed[_label(record)] = found.error
                else:
                    yield found

    def measure(
        self, record: ModelRecord, reference: EntityRows, quality: Quality | None
    ) -> EntityMeasurement:
        """One model beside what it was trained on.

        Raises:
            TerminalError: It cannot be loaded, or asked about these rows.
        """
        before, now = (
            rows.side(self.owners.of(record, rows), record.compared, self.monitor.sample_rows)
            for rows in (reference, self.current)
        )
        columns: tuple[ColumnDrift, ...] = ()
        left_out = {
            "all columns": f"{before.rows} rows of the training are too few to compare with"
        }
        predictions: tuple[ColumnDrift, ...] = ()
        if before.rows >= FEWEST:
            columns, left_out, predictions = self._compared(record, before, now)
        return EntityMeasurement(
            entity=record.entity,
            model=record.model,
            version=record.version,
            window={name: self.versions[name] for name in looked_at(self.watched)},
            reference={name: record.snapshots[name] for name in self.watched.train_on},
            reference_rows=before.rows,
            current_rows=now.rows,
            columns=columns,
            left_out=left_out,
            prediction=next(iter(predictions), None),
            quality=quality,
            findings=tuple(findings_of(self.monitor, columns, predictions, quality)),
            counts=now.rows >= self.monitor.min_rows and before.rows >= FEWEST,
        )

    def _compared(
        self, record: ModelRecord, before: Side, now: Side
    ) -> tuple[tuple[ColumnDrift, ...], dict[str, str], tuple[ColumnDrift, ...]]:
        drift = self.monitor.drift
        chosen, left_out = compared_features(before.table, drift.columns, image=None)
        columns = compare_columns(before.table, now.table, drift, chosen)
        if not drift.prediction:
            return columns, left_out, ()
        predictor = load_predictor(record, tracking=self.tracking)
        said = None if self.said is None else pa.table({PREDICTION: self.said[record.model]})
        return (
            columns,
            left_out,
            compare_predictions(self.model, predictor, before, now, said, drift),
        )


def _worst_first(found: EntityMeasurement) -> tuple[bool, bool, float, str]:
    return (not found.counts, not found.breached, -found.worst, found.label)


def _none_measured(model: str, failed: Mapping[str, str]) -> str:
    listed = one_of((f"{label}: {why}" for label, why in failed.items()), most=_SHOWN)
    return f"no model of {model} could be measured. {listed}"
