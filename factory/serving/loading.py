"""Read a version back and make sure that it answers before anybody asks it."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
from pydantic import ValidationError
from pydantic_core import to_json

from factory.base.errors import TerminalError
from factory.models.predictor import Predictor, load_predictor
from factory.models.registry import Version
from factory.models.tracking import Tracking
from factory.serving.answers import nonsense
from factory.serving.contract import Contract, Row, contract_of, example_rows, outputs_of
from factory.serving.image_contract import PictureContract, picture_column
from factory.serving.limits import Settings
from factory.serving.refusals import RefusedError
from factory.trainers.trainer import Predictions

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Served:
    """A version that answers."""

    version: Version
    contract: Contract | PictureContract
    classifies: bool
    _predictor: Predictor

    def predict(self, rows: Sequence[Row]) -> Predictions:
        """What the model says about rows.

        Raises:
            TerminalError: The model refuses the rows.
        """
        return self._predictor.predict(self.contract.frame(rows))


def load(version: Version, *, tracking: Tracking, settings: Settings) -> Served:
    """A version that has predicted its own input example, and so is warm.

    Args:
        version: Which one.
        tracking: The MLflow server.
        settings: What one request may hold.

    Raises:
        RefusedError: It does not load, or predicts nothing sensible.
        TrackingError: The MLflow server does not answer, or refuses.
    """
    try:
        predictor = _load(version, tracking)
    except TerminalError as error:
        raise RefusedError("it does not load") from error
    return tried(version, predictor, settings)


def tried(version: Version, predictor: Predictor, settings: Settings) -> Served:
    """A loaded version that has predicted its own input example, and so is warm.

    Raises:
        RefusedError: It predicts nothing sensible, or takes what requests cannot carry.
    """
    if (example := predictor.example) is None:
        raise RefusedError("it has no input example to try it with")
    contract: Contract | PictureContract
    if column := picture_column(predictor.signature):
        contract = PictureContract(
            column, outputs_of(predictor.signature), settings.most_rows, settings.pictures
        )
    else:
        contract = contract_of(
            _title(version.model), predictor.signature, example, settings.most_rows
        )
    served = Served(version, contract, _warm_up(predictor, contract, example), predictor)
    logger.info("%s version %d is loaded", version.model, version.number)
    return served


def _load(version: Version, tracking: Tracking) -> Predictor:
    """The one place that serving gets models from."""
    # The command has set the threads of native libraries for the whole process.
    return load_predictor(version, tracking=tracking, limit_threads=False)


def _warm_up(
    predictor: Predictor, contract: Contract | PictureContract, example: pd.DataFrame
) -> bool:
    """Predict the example twice, as a request would; whether the model classifies."""
    try:
        if isinstance(contract, PictureContract):
            rows = [{contract.column: content} for content in example[contract.column]]
        else:
            rows = contract.parse(to_json({"rows": example_rows(example)}))
        predictor.predict(contract.frame(rows[:1]))
        predictions = predictor.predict(contract.frame(rows))
    except ValidationError as error:
        raise RefusedError("its input example does not fit its signature") from error
    except Exception as error:
        # Whatever the model's own code raises.
        raise RefusedError("it cannot predict its input example") from error
    if found := nonsense(predictions, len(rows)):
        raise RefusedError(f"for its input example it predicts {found}")
    return predictions.classes is not None


def _title(model: str) -> str:
    return "".join(part.capitalize() for part in model.replace(".", "_").split("_"))
