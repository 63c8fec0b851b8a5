"""What steps need of whatever trains a model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pandas as pd
from numpy.typing import NDArray

TrainedModel = Any
"""A model of some library; only its trainer knows what it can do."""


Rows = tuple[pd.DataFrame, NDArray[Any]]
"""Features, and the target: one value a row."""


@dataclass(frozen=True)
class Fitted:
    """A trained model, and what is to be told of its training."""

    model: TrainedModel
    warnings: tuple[str, ...] = ()
    """What the library complained about."""
    history: tuple[Mapping[str, float], ...] = ()
    """What was measured after each epoch, the first one first; empty for what has no epochs."""


@dataclass(frozen=True)
class Predictions:
    """What a model says about rows."""

    values: NDArray[Any]
    """One class or number a row."""
    probabilities: NDArray[Any] | None = None
    """Rows x classes, in the order of `classes`; None where the estimator gives none."""
    classes: NDArray[Any] | None = None
    """The classes that the model knows; None for a regression."""


@dataclass(frozen=True)
class LoggedModel:
    """What MLflow is told about a model besides the model itself."""

    run_id: str
    """The MLflow run that it belongs to."""
    features: pd.DataFrame
    """Training rows: what the signature is inferred from, and the first few its input example."""
    packages: tuple[str, ...]
    """Top-level packages whose types the model may consist of, besides the library's own."""
    params: Mapping[str, str]


class Trainer(Protocol):
    """Trains models of one library, stores them, and asks them for predictions."""

    @property
    def suffix(self) -> str:
        """What the names of the files that `save` makes end in, such as `.joblib`."""
        ...

    @property
    def watches_validation(self) -> bool:
        """Whether `fit` makes use of validation rows; those of others are not even read."""
        ...

    def fit(
        self,
        estimator: str,
        params: Mapping[str, Any],
        features: pd.DataFrame,
        target: NDArray[Any],
        seed: int,
        validation: Rows | None = None,
    ) -> Fitted:
        """Train on rows; the same rows, parameters and seed give the same model.

        Args:
            estimator: Its dotted path.
            params: Its hyperparameters.
            features: The training rows.
            target: The truth, one value a row.
            seed: What everything that is drawn at random starts from.
            validation: Rows that are not learned from, to measure each epoch on.

        Raises:
            TerminalError: The estimator does not exist, or refuses its parameters or the rows.
        """
        ...

    def save(self, model: TrainedModel, file: Path) -> None:
        """Store a model for this run's later tasks; whole or not at all."""
        ...

    def load(self, file: Path) -> TrainedModel:
        """A model that `save` stored. Only for files that this run wrote."""
        ...

    def predict(self, model: TrainedModel, features: pd.DataFrame) -> Predictions:
        """What a model says about rows.

        Raises:
            TerminalError: The model cannot predict these rows.
        """
        ...

    def log_model(self, model: TrainedModel, logged: "LoggedModel") -> str:
        """Log a model to MLflow in a format that runs no code from the file when it is read.

        Returns:
            The model's MLflow URI.

        Raises:
            TerminalError: The model holds something that the format, or we, do not trust.
        """
        ...

    def load_logged(self, folder: Path, packages: Sequence[str]) -> TrainedModel:
        """The model that `log_model` logged; see `factory.models.files.downloaded`.

        Args:
            folder: A copy of its files.
            packages: As in `LoggedModel`: whose types the model may consist of.

        Raises:
            TerminalError: It consists of types that are not trusted, or is stored in another format.
        """
        ...
