"""What is measured of a model in use: drift of its features and predictions, and its quality."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset
from pydantic import Field

from factory.base.values import Result
from factory.lake.snapshot import Snapshot
from factory.lake.table import Lake
from factory.models import registry
from factory.models.predictor import Predictor, load_predictor
from factory.models.registry import Version
from factory.models.tracking import Tracking
from factory.monitoring.compared_rows import (
    PREDICTION,
    EmptyWindowError,
    compared_features,
    newest_predictions,
    sample,
)
from factory.monitoring.comparison import (
    Side,
    compare_columns,
    compare_predictions,
    findings_of,
    said_columns,
)
from factory.monitoring.drift import ColumnDrift
from factory.monitoring.ground_truth import ONE_MODEL, Quality, measure_quality
from factory.monitoring.sections import Monitor
from factory.monitoring.window_rows import MonitoredData, WindowRows
from factory.training.model import Model
from factory.training.rows import model_images

logger = logging.getLogger(__name__)

_OF_SERIES = "it has trend and season: other times have other values"


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
    window, most = WindowRows(watched, model, lake, workspace), monitor.sample_rows
    scratch = window.folder("reference")
    rows = window.reference(version.record, scratch)
    reference = _side(rows, predictor, watched.train_on, most, window, scratch)
    scratch = window.folder("current")
    rows = window.current(versions, version.record, scratch)
    current = _side(rows, predictor, watched.current, most, window, scratch)
    chosen, left_out = compared_features(
        reference.table, monitor.drift.columns, image=predictor.record.image_column
    )
    columns = compare_columns(reference.table, current.table, monitor.drift, chosen)
    compared: tuple[ColumnDrift, ...] = ()
    if predictor.record.forecast is not None:
        left_out |= dict.fromkeys((*model.target_columns, PREDICTION), _OF_SERIES)
    elif monitor.drift.prediction:
        compared = compare_predictions(model, predictor, reference, current, said, monitor.drift)
    quality = quality_of(
        watched, model, monitor, snapshots, {ONE_MODEL: version.number}, lake, workspace
    ).get(ONE_MODEL)
    found = Measurement(
        model=watched.model,
        version=version.number,
        window={name: versions[name] for name in looked_at(watched)},
        reference={name: version.record.snapshots[name] for name in watched.train_on},
        reference_rows=reference.rows,
        current_rows=current.rows,
        columns=columns,
        left_out=left_out,
        prediction=None if model.targets_together else next(iter(compared), None),
        of_targets=compared if model.targets_together else (),
        quality=quality,
        findings=tuple(findings_of(monitor, columns, compared, quality)),
        counts=current.rows >= monitor.min_rows,
    )
    _say(found)
    return found


def quality_of(
    watched: MonitoredData,
    model: Model,
    monitor: Monitor,
    snapshots: Mapping[str, Snapshot],
    versions: Mapping[str, int],
    lake: Lake,
    scratch: Path,
) -> dict[str, Quality]:
    """How good predictions were, by registered model; nothing as long as no truth has been published.

    Args: see `measure_quality`.
    """
    truth = snapshots.get(watched.truth or "")
    predictions = snapshots.get(watched.predictions or "")
    if monitor.truth is None or truth is None or predictions is None:
        return {}
    limits = monitor.quality or {}
    found = measure_quality(
        model,
        monitor.truth,
        limits,
        truth_snapshot=truth,
        predictions=predictions,
        versions=versions,
        lake=lake,
        scratch=scratch,
    )
    for name, quality in found.items():
        for metric in [metric for metric in limits if metric in quality.skipped]:
            why = quality.skipped[metric]
            logger.warning("%s: no quality/%s: %s", name or watched.model, metric, why)
    return found


def looked_at(watched: MonitoredData) -> tuple[str, ...]:
    """The datasets that tell a window from others."""
    names = (watched.predictions, watched.current[0])
    return tuple(name for name in names if name is not None)


def _champion(model: str, tracking: Tracking) -> Version:
    version = registry.champion(model, tracking=tracking)
    if version is None:
        raise EmptyWindowError(f"{model} has no champion yet: there is nothing to watch")
    return version


def _side(
    rows: pyarrow.dataset.Dataset,
    predictor: Predictor,
    datasets: Sequence[str],
    most: int,
    window: WindowRows,
    scratch: Path,
) -> Side:
    """A sample of one side, in the form that the model learned from."""
    table = sample(rows, predictor.record.compared, most, scratch)
    images = model_images(datasets, workspace=scratch, lake=window.lake)
    return Side(table, rows.count_rows(), images)


def _say(found: Measurement) -> None:
    what = ", ".join(f"{name} version {version}" for name, version in found.window.items())
    verdict = "; ".join(found.findings) or "nothing has changed much"
    if not found.counts:
        verdict = f"too few rows to count ({found.current_rows}); {verdict}"
    logger.info("%s version %d on %s: %s", found.model, found.version, what, verdict)
