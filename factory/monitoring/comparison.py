"""One side of a window beside the other: features, predictions, and what is wrong, in words."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pyarrow as pa

from factory.data.columns import require_columns
from factory.data.images.store import ImageStore
from factory.data.roles import are_sentences
from factory.models.batch_prediction import as_learned
from factory.models.predictor import Predictor
from factory.monitoring.compared_rows import PREDICTION, lengths
from factory.monitoring.drift import ColumnDrift, Kind, compare, kind_of
from factory.monitoring.ground_truth import Quality
from factory.monitoring.sections import Drift, Monitor
from factory.training.model import Model


@dataclass(frozen=True)
class Side:
    """A sample of one side, and how many rows there are."""

    table: pa.Table
    rows: int
    images: ImageStore | None = None
    """Where the images of a model that learned from them lie."""


def compare_columns(
    reference: pa.Table, current: pa.Table, drift: Drift, names: Sequence[str]
) -> tuple[ColumnDrift, ...]:
    """The named columns of both sides, those that differ most first.

    Raises:
        TerminalError: There is no such column.
    """
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


def compare_predictions(
    model: Model,
    predictor: Predictor,
    reference: Side,
    current: Side,
    said: pa.Table | None,
    drift: Drift,
) -> tuple[ColumnDrift, ...]:
    """The predictions on the rows of the training, and those of today; asked here where `said` has none."""
    if not current.rows:
        return ()
    columns = said_columns(model)
    before = _ask(predictor, reference, columns)
    now = _ask(predictor, current, columns) if said is None else said.to_pandas()
    kind: Kind = "categorical" if model.learning_task.has_categories else "numeric"
    return tuple(compare(name, before[name], now[name], drift, kind=kind) for name in columns)


def _ask(predictor: Predictor, side: Side, columns: Sequence[str]) -> pd.DataFrame:
    said = [
        {PREDICTION: found.values, **found.columns}
        for _, features in as_learned(side.table, predictor, side.images)
        for found in (predictor.predict(features),)
    ]
    parts = [pd.DataFrame({name: each[name] for name in columns}) for each in said]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=[*columns])


def findings_of(
    monitor: Monitor,
    columns: tuple[ColumnDrift, ...],
    predictions: tuple[ColumnDrift, ...],
    quality: Quality | None,
) -> Iterator[str]:
    """What is wrong, in words."""
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
