"""Read a version back and make sure that it answers before anybody asks it."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from pydantic import ValidationError
from pydantic_core import to_json

from factory.base.errors import TerminalError
from factory.models.predictor import Predictor, load_predictor
from factory.models.registry import Version
from factory.models.tracking import Tracking
from factory.serving.contract import Contract, Row, contract_of, example_rows
from factory.serving.forecast_contract import ForecastContract, forecast_contract_of
from factory.serving.image_contract import ImageContract, image_column_of
from factory.serving.limits import ServingLimits
from factory.serving.refusals import UnfitVersionError
from factory.trainers.trainer import Predictions

logger = logging.getLogger(__name__)

_ROUNDING = 1e-3
"""Of estimators that count in 32 bits."""


@dataclass(frozen=True, eq=False)
class LoadedVersion:
    """A version that answers."""

    version: Version
    contract: Contract | ImageContract | ForecastContract
    classifies: bool
    _predictor: Predictor

    def predict(self, rows: Sequence[Row]) -> Predictions:
        """What the model says about rows.

        Raises:
            TerminalError: The model refuses the rows.
        """
        return self._predictor.predict(self.contract.frame(rows))


def load(version: Version, *, tracking: Tracking, settings: ServingLimits) -> LoadedVersion:
    """A version that has predicted its own input example, and so is warm.

    Args:
        version: Which one.
        tracking: The MLflow server.
        settings: What one request may hold.

    Raises:
        UnfitVersionError: It does not load, or predicts nothing sensible.
        TrackingError: The MLflow server does not answer, or refuses.
    """
    try:
        predictor = _load(version, tracking)
    except TerminalError as error:
        raise UnfitVersionError("it does not load") from error
    return warmed_up(version, predictor, settings)


def warmed_up(version: Version, predictor: Predictor, settings: ServingLimits) -> LoadedVersion:
    """A loaded version that has predicted its own input example, and so is warm.

    Raises:
        UnfitVersionError: It predicts nothing sensible, or takes what requests cannot carry.
    """
    if (example := predictor.example) is None:
        raise UnfitVersionError("it has no input example to try it with")
    contract: Contract | ImageContract | ForecastContract
    record = predictor.record
    if column := image_column_of(record):
        contract = ImageContract(column, record.outputs, settings.most_rows, settings.images)
    elif record.forecast is not None:
        contract = forecast_contract_of(record, record.forecast, example, settings.most_rows)
    else:
        contract = contract_of(record, example, settings.most_rows)
    served = LoadedVersion(version, contract, _warm_up(predictor, contract, example), predictor)
    logger.info("%s version %d is loaded", version.model, version.number)
    return served


def _load(version: Version, tracking: Tracking) -> Predictor:
    """The one place that serving gets models from."""
    # The command has set the threads of native libraries for the whole process.
    return load_predictor(version.record, tracking=tracking, limit_threads=False)


def _warm_up(
    predictor: Predictor,
    contract: Contract | ImageContract | ForecastContract,
    example: pd.DataFrame,
) -> bool:
    """Predict the example twice, as a request would; whether the model classifies."""
    try:
        if isinstance(contract, ImageContract):
            rows = [{contract.column: content} for content in example[contract.column]]
        elif isinstance(contract, ForecastContract):
            rows = contract.rows_of(example)
        else:
            rows = contract.parse(to_json({"rows": example_rows(example)}))
        predictor.predict(contract.frame(rows[:1]))
        predictions = predictor.predict(contract.frame(rows))
    except ValidationError as error:
        raise UnfitVersionError("its input example does not fit its signature") from error
    except Exception as error:
        # Whatever the model's own code raises.
        raise UnfitVersionError("it cannot predict its input example") from error
    if found := nonsense(predictions, len(rows)):
        raise UnfitVersionError(f"for its input example it predicts {found}")
    return predictions.classes is not None


def nonsense(predictions: Predictions, rows: int) -> str | None:
    """What is not sensible about predictions; None if they are fine."""
    values, targets = predictions.values, predictions.targets
    shape = (rows, len(targets)) if targets else (rows,)
    if values.shape != shape:
        return f"predictions of the shape {values.shape} for {rows} rows"
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        return "numbers that are not finite"
    classes = predictions.classes
    if classes is None:
        return None if values.dtype.kind in "fiu" else "no numbers"
    known = [0, 1] if targets else classes
    if not np.isin(values, known).all():
        return "classes that it does not know"
    return _improbable(predictions, (rows, len(classes)), adds_up=not targets)


def _improbable(predictions: Predictions, shape: tuple[int, int], *, adds_up: bool) -> str | None:
    found = predictions.probabilities
    if found is None:
        return None
    if found.shape != shape:
        return f"probabilities of the shape {found.shape} for {shape[0]} rows, {shape[1]} classes"
    # NaN fails each comparison.
    if not ((found >= 0) & (found <= 1 + _ROUNDING)).all():
        return "probabilities outside of 0 to 1"
    if adds_up and not np.allclose(found.sum(axis=1), 1, atol=_ROUNDING):
        return "probabilities that do not add up to 1"
    return None
