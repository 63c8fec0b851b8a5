"""What is measured of a model in use: drift of its features and predictions, and its quality."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.dataset
from pydantic import Field

from factory.base.errors import TerminalError
from factory.base.values import Result
from factory.data.columns import require_columns
from factory.data.images.store import ImageStore
from factory.data.roles import are_sentences
from factory.lake.snapshot import Snapshot
from factory.lake.table import Lake
from factory.models import registry
from factory.models.batch_prediction import as_learned, prediction_rows
from factory.models.predictor import Predictor, load_predictor
from factory.models.registry import Version
from factory.models.tracking import Tracking
from factory.monitoring.compared_rows import (
    PREDICTION,
    EmptyWindowError,
    compared_features,
    lengths,
    newest_predictions,
    sample,
)
from factory.monitoring.drift import ColumnDrift, Kind, compare, kind_of
from factory.monitoring.ground_truth import Quality, measure_quality
from factory.monitoring.sections import Drift, Monitor
from factory.training.model import Model
from factory.training.rows import model_images, model_rows

logger = logging.getLogger(__name__)

_OF_SERIES = "it has trend and season: other times have other values"


class MonitoredData(Result):
    """Which datasets a monitor looks at, by full name."""

    model: str
    train_on: tuple[str, ...]
    """What the model is trained on; the first is `source` in the transforms."""
    current: tuple[str, ...]
    """Today's rows, and what their transforms read beside them."""
    predictions: str | None = None
    """The model's own predictions; without them, the champion is asked here."""
    truth: str | None = None


class Measurement(Result):
    """One window: the rows of one snapshot, compared with those of the training."""

    model: str
    version: int
    """The model's version that is measured."""
    window: dict[str, int]
    """What is looked at: dataset to version."""
    reference: dict[str, int]
    """What the version was trained on: dataset to version."""
    reference_rows: int
    current_rows: int
    columns: tuple[ColumnDrift, ...]
    """The features, those that differ most first."""
    left_out: dict[str, str] = Field(default_factory=dict)
    """What is not compared, and why not."""
    prediction: ColumnDrift | None
    """What is said; None where it is not compared, or of several targets."""
    of_targets: tuple[ColumnDrift, ...] = ()
    """What is said of each of several targets."""
    quality: Quality | None
    findings: tuple[str, ...]
    """What is wrong, in words; empty where all is well."""
    counts: bool
    """False for a window with too few rows to tell."""

    @property
    def predictions(self) -> tuple[ColumnDrift, ...]:
        """What is said, as far as it is compared."""
        return self.of_targets if self.prediction is None else (self.prediction,)

    @property
    def breached(self) -> bool:
        """Whether the window is a bad one."""
        return self.counts and bool(self.findings)

    @property
    def drifted(self) -> tuple[ColumnDrift, ...]:
        """The features that have drifted, those that differ most first."""
        return tuple(column for column in self.columns if column.drifted)


def measure(
    watched: MonitoredData,
    model: Model,
    monitor: Monitor,
    snapshots: Mapping[str, Snapshot],
    *,
    lake: Lake,
    tracking: Tracking,
    workspace: Path,
) -> Measurement:
    """Measure the window that the given snapshots are.

    The version that is measured is the one that made the predictions; where there are no
    predictions, the champion, who is asked about both sides.

    Args:
        watched: What is looked at.
        model: The model's section of the team file.
        monitor: The part about monitoring.
        snapshots: The snapshot of every dataset that is looked at, by dataset; that with today's
            rows is left out where predictions name its version.
        lake: Where they lie.
        tracking: The MLflow server, whose registry knows what a version was trained on.
        workspace: The run's scratch folder.

    Raises:
        EmptyWindowError: There is no champion yet, or nothing that was predicted.
        TerminalError: A column is missing, or the version was trained on other datasets.
    """
    versions = {name: snapshot.version for name, snapshot in snapshots.items()}
    said: pa.Table | None = None
    if watched.predictions is not None:
        predicted = newest_predictions(
            lake,
            watched.predictions,
            versions[watched.predictions],
            monitor.sample_rows,
            workspace,
            said_columns(model),
        )
        version = registry.version(watched.model, predicted.model_version, tracking=tracking)
        versions[watched.current[0]] = predicted.input_version
        said = predicted.values
    else:
        version = _champion(watched.model, tracking)
    predictor = load_predictor(version.record, tracking=tracking)
    load = _Loading(watched, model, monitor.sample_rows, predictor, lake, workspace)
    reference, current = load.reference(), load.current(versions)
    chosen, left_out = compared_features(
        reference.table, monitor.drift.columns, image=predictor.record.image_column
    )
    columns = _compare_columns(reference.table, current.table, monitor.drift, chosen)
    compared: tuple[ColumnDrift, ...] = ()
    if predictor.record.forecast is not None:
        left_out |= dict.fromkeys((*model.target_columns, PREDICTION), _OF_SERIES)
    elif monitor.drift.prediction:
        compared = _compare_predictions(model, predictor, reference, current, said, monitor.drift)
    quality = _quality(watched, model, monitor, snapshots, version.number, lake, workspace)
    found = Measurement(
        model=watched.model,
        version=version.number,
        window={name: versions[name] for name in _window(watched)},
        reference={name: version.record.snapshots[name] for name in watched.train_on},
        reference_rows=reference.rows,
        current_rows=current.rows,
        columns=columns,
        left_out=left_out,
        prediction=None if model.targets_together else next(iter(compared), None),
        of_targets=compared if model.targets_together else (),
        quality=quality,
        findings=tuple(_findings(monitor, columns, compared, quality)),
        counts=current.rows >= monitor.min_rows,
    )
    _say(found)
    return found


def _quality(
    watched: MonitoredData,
    model: Model,
    monitor: Monitor,
    snapshots: Mapping[str, Snapshot],
    version: int,
    lake: Lake,
    scratch: Path,
) -> Quality | None:
    """How good predictions were; None as long as no truth has been published."""
    truth = snapshots.get(watched.truth or "")
    predictions = snapshots.get(watched.predictions or "")
    if monitor.truth is None or truth is None or predictions is None:
        return None
    limits = monitor.quality or {}
    found = measure_quality(
        model,
        monitor.truth,
        limits,
        truth_snapshot=truth,
        predictions=predictions,
        model_version=version,
        lake=lake,
        scratch=scratch,
    )
    for name in [name for name in limits if name in found.skipped]:
        logger.warning("%s: no quality/%s: %s", watched.model, name, found.skipped[name])
    return found


@dataclass(frozen=True)
class _Side:
    """A sample of one side, and how many rows there are."""

    table: pa.Table
    rows: int
    images: ImageStore


def _window(watched: MonitoredData) -> tuple[str, ...]:
    names = (watched.predictions, watched.current[0])
    return tuple(name for name in names if name is not None)


def _champion(model: str, tracking: Tracking) -> Version:
    version = registry.champion(model, tracking=tracking)
    if version is None:
        raise EmptyWindowError(f"{model} has no champion yet: there is nothing to watch")
    return version


@dataclass(frozen=True)
class _Loading:
    """Reads both sides in the form that the model learned from."""

    watched: MonitoredData
    model: Model
    most: int
    predictor: Predictor
    lake: Lake
    workspace: Path

    def reference(self) -> _Side:
        """What the version was trained on."""
        record = self.predictor.record
        unknown = [name for name in self.watched.train_on if name not in record.snapshots]
        if unknown:
            raise TerminalError(
                f"{record.model} version {record.version} was not trained on "
                f"{', '.join(unknown)}, but on {', '.join(record.snapshots) or 'nothing known'}: "
                "train it again"
            )
        scratch = self._folder("reference")
        rows = model_rows(
            self.watched.train_on,
            self.model.transforms,
            workspace=scratch,
            lake=self.lake,
            versions={name: record.snapshots[name] for name in self.watched.train_on},
        )
        return self._side(rows, scratch, self.watched.train_on)

    def current(self, versions: Mapping[str, int]) -> _Side:
        """Today's rows."""
        first = self.watched.train_on[0]
        trained_on = self.lake.snapshot(first, self.predictor.record.snapshots[first])
        by_predict = self.watched.predictions is not None
        scratch = self._folder("current")
        rows = prediction_rows(
            self.watched.current,
            self.model.prediction_transforms if by_predict else self.model.transforms,
            # The target is what new rows may lack.
            absent={
                name: trained_on.columns.get(name, "VARCHAR") for name in self.model.target_columns
            },
            workspace=scratch,
            lake=self.lake,
            versions={name: versions[name] for name in self.watched.current},
        )
        return self._side(rows, scratch, self.watched.current)

    def _side(self, rows: pyarrow.dataset.Dataset, scratch: Path, datasets: Sequence[str]) -> _Side:
        table = sample(rows, self.predictor.record.compared, self.most, scratch)
        images = model_images(datasets, workspace=scratch, lake=self.lake)
        return _Side(table, rows.count_rows(), images)

    def _folder(self, name: str) -> Path:
        folder = self.workspace / name
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder


def _compare_columns(
    reference: pa.Table, current: pa.Table, drift: Drift, names: Sequence[str]
) -> tuple[ColumnDrift, ...]:
    require_columns(names, reference.column_names, "monitor.drift.columns")
    compared = [
        _compare(name, reference.column(name).to_pandas(), current.column(name).to_pandas(), drift)
        for name in names
    ]
    return tuple(sorted(compared, key=lambda one: one.excess, reverse=True))


def _compare(
    name: str, reference: "pd.Series[Any]", current: "pd.Series[Any]", drift: Drift
) -> ColumnDrift:
    if kind_of(reference) == "categorical" and are_sentences(reference.dropna()):
        found = compare(name, lengths(reference), lengths(current), drift, kind="numeric")
        note = "; ".join(filter(None, ("sentences, by their number of words", found.note)))
        return found.model_copy(update={"note": note})
    # A column whose form has changed, or that has no values on one side, is compared as texts.
    kinds = {kind_of(reference), kind_of(current)}
    kind = kinds.pop() if len(kinds) == 1 else "categorical"
    return compare(name, reference, current, drift, kind=kind)


def said_columns(model: Model) -> tuple[str, ...]:
    """The columns of predictions with what is said: `prediction`, or those of several targets."""
    targets = model.targets_together
    return tuple(model.learning_task.columns_of(targets))[: len(targets)] or (PREDICTION,)


def _compare_predictions(
    model: Model,
    predictor: Predictor,
    reference: _Side,
    current: _Side,
    said: pa.Table | None,
    drift: Drift,
) -> tuple[ColumnDrift, ...]:
    """The champion's predictions on the rows of the training, and those of today."""
    if not current.rows:
        return ()
    columns = said_columns(model)
    before = _ask(predictor, reference, columns)
    now = _ask(predictor, current, columns) if said is None else said.to_pandas()
    kind: Kind = "categorical" if model.learning_task.has_categories else "numeric"
    return tuple(compare(name, before[name], now[name], drift, kind=kind) for name in columns)


def _ask(predictor: Predictor, side: _Side, columns: Sequence[str]) -> pd.DataFrame:
    said = [
        {PREDICTION: found.values, **found.columns}
        for _, features in as_learned(side.table, predictor, side.images)
        for found in (predictor.predict(features),)
    ]
    parts = [pd.DataFrame({name: each[name] for name in columns}) for each in said]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=[*columns])


def _findings(
    monitor: Monitor,
    columns: tuple[ColumnDrift, ...],
    predictions: tuple[ColumnDrift, ...],
    quality: Quality | None,
) -> Iterator[str]:
    drifted = [column for column in columns if column.drifted]
    if len(drifted) >= monitor.drift.min_columns:
        for column in drifted:
            yield f"drift of {column.text}"
    for prediction in predictions:
        if prediction.drifted:
            yield f"drift of {prediction.text}"
    if quality is not None:
        for text in quality.missed.values():
            yield f"{text} (on {quality.rows} rows with truth)"


def _say(found: Measurement) -> None:
    what = ", ".join(f"{name} version {version}" for name, version in found.window.items())
    verdict = "; ".join(found.findings) or "nothing has changed much"
    if not found.counts:
        verdict = f"too few rows to count ({found.current_rows}); {verdict}"
    logger.info("%s version %d on %s: %s", found.model, found.version, what, verdict)
