"""The columns that predictions have on request: probabilities of classes, intervals, explanations."""

import logging
from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa

from factory.base.errors import TerminalError
from factory.base.texts import one_of
from factory.models.conformal import rows_needed
from factory.models.explanation import Explainer, largest
from factory.models.predict import Explain
from factory.models.prediction_columns import class_columns, explanation_columns
from factory.models.predictor import Predictor
from factory.models.record import ModelRecord
from factory.trainers.trainer import Predictions
from factory.training.metrics import Class

logger = logging.getLogger(__name__)

AddedColumns: TypeAlias = Callable[[Predictions, pd.DataFrame | None], dict[str, pa.Array]]
"""Gives the columns for what a model says of rows, and for their features; None where there are no rows."""


def probabilities_of(
    predictor: Predictor, classes: Sequence[Class] | Literal["all"], keep: Sequence[str]
) -> AddedColumns:
    """A column for the probability of each class, or of each that is listed.

    Raises:
        TerminalError: The model does not know a class, or a column that is kept has the name of one of these.
    """
    what, known = f"{predictor.record.model} version {predictor.record.version}", predictor.classes
    asked = known if isinstance(classes, str) else tuple(classes)
    for one in asked:
        # True equals 1.
        if not any(one == other and type(one) is type(other) for other in known):
            raise TerminalError(
                f"predict.probabilities: {what} knows no class {one!r}: it knows {one_of(map(repr, known))}"
            )
    columns = class_columns(asked)
    if clash := sorted({name.lower() for name in keep} & {name.lower() for name in columns}):
        raise TerminalError(
            f"predict.keep: {clash[0]!r} is the column with a class's probability too: rename it in a transform"
        )

    def of(said: Predictions, features: pd.DataFrame | None) -> dict[str, pa.Array]:
        del features
        if said.probabilities is None or said.classes is None:
            return {name: pa.nulls(len(said.values), pa.float64()) for name in columns}
        places = {one: place for place, one in enumerate(said.classes.tolist())}
        return {
            name: pa.array(said.probabilities[:, places[one]], pa.float64())
            for name, one in columns.items()
        }

    return of


def interval_of(record: ModelRecord, level: float) -> AddedColumns:
    """The ends of the interval around each prediction.

    Raises:
        TerminalError: The version has no record of its errors, or of too few for the level.
    """
    what = f"predict.interval: {record.model} version {record.version}"
    if record.interval is None:
        raise TerminalError(
            f"{what} was registered without a record of how far off it is: train the model again"
        )
    width = record.interval.half_width(level)
    if width is None:
        raise TerminalError(
            f"{what} was measured on {record.interval.rows} rows, and an interval of {level:g} needs "
            f"{rows_needed(level)}: write a smaller share, or measure on more rows, see `split`"
        )

    def of(said: Predictions, features: pd.DataFrame | None) -> dict[str, pa.Array]:
        del features
        values = np.asarray(said.values, dtype=float)
        return {"lower": pa.array(values - width), "upper": pa.array(values + width)}

    return of


def explanation_of(
    predictor: Predictor, explain: Explain, others: pd.DataFrame, total: int
) -> AddedColumns:
    """The features that contribute the most to each prediction.

    Args:
        predictor: The model.
        explain: How many features, of how many rows.
        others: The rows that each row is compared with, with the features and nothing else.
        total: How many rows there are.
    """
    names = list(predictor.features)
    kinds = {
        name: pa.string() if kind == "VARCHAR" else pa.float64()
        for name, kind in explanation_columns(explain.features).items()
    }
    explainer = Explainer(predictor.predict, others, explain.max_rows) if total else None
    if total > explain.max_rows:
        logger.info("The first %s of %s rows are explained", f"{explain.max_rows:,}", f"{total:,}")

    def of(said: Predictions, features: pd.DataFrame | None) -> dict[str, pa.Array]:
        rows = len(said.values)
        columns = {name: pa.nulls(rows, kind) for name, kind in kinds.items()}
        if features is None or explainer is None:
            return columns
        found = largest(explainer.explain(features[names], said), names, explain.features)
        for number, (feature, contribution) in enumerate(found, start=1):
            rest = [None] * (rows - len(feature))
            columns[f"feature_{number}"] = pa.array([*feature, *rest], pa.string())
            columns[f"contribution_{number}"] = pa.array([*contribution, *rest], pa.float64())
        return columns

    return of
