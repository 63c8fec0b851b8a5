"""A registered version that is loaded and can be asked; no code from its file is run."""

from dataclasses import dataclass
from typing import Any

import mlflow
import pandas as pd
import pyarrow as pa
from mlflow.models import Model

from factory.base.errors import TerminalError
from factory.models.files import downloaded, read_example
from factory.models.record import ModelRecord
from factory.models.replay import check_replay
from factory.models.signing import check_signature
from factory.models.tracking import Tracking
from factory.trainers.dispatch import trainer_of
from factory.trainers.trainer import Predictions, TrainedModel, Trainer
from factory.training.metrics import Class


@dataclass(frozen=True)
class Predictor:
    """A version that is loaded and can be asked."""

    record: ModelRecord
    """Which version it is, and what columns it takes."""
    _model: TrainedModel
    _trainer: Trainer
    example: pd.DataFrame | None = None
    """The rows that it was registered with, to try it with; None if it has lost them."""

    @property
    def features(self) -> tuple[str, ...]:
        """The names of the columns that it learned from, in their order."""
        return self.record.features

    @property
    def classes(self) -> tuple[Class, ...]:
        """The classes that it knows, in the order of its probabilities.

        Raises:
            TerminalError: It has no example any more to ask it about, or knows none.
        """
        said = None if self.example is None else self.predict(self.example)
        if said is None or said.classes is None:
            raise TerminalError(
                f"{self.record.model} version {self.record.version} does not tell which classes it knows: "
                "train the model again"
            )
        return tuple(said.classes.tolist())

    def predict(self, rows: pd.DataFrame) -> Predictions:
        """What the model says about rows; columns that it does not know are left out.

        Args:
            rows: The features in the forms of `factory.data.columns.learnable`.

        Raises:
            TerminalError: A feature is missing or of another form, or the model refuses the rows.
        """
        self._check(rows)
        return self._trainer.predict(self._model, rows[list(self.features)])

    def _check(self, rows: pd.DataFrame) -> None:
        wrong = []
        for column in self.record.inputs:
            if column.name not in rows:
                wrong.append(f"there is no column {column.name!r}")
            elif rows[column.name].isna().all():
                continue
            elif (found := _form(rows[column.name])) != (wanted := _form_of(column.type)):
                wrong.append(f"{column.name!r} holds {found}, and it learned from {wanted}")
        if wrong:
            raise TerminalError(
                f"{self.record.model} version {self.record.version} cannot predict these rows: "
                f"{'; '.join(wrong)}"
            )


def _form(column: "pd.Series[Any]") -> str:
    if _holds_bytes(column):
        return "images"
    if pd.api.types.is_numeric_dtype(column):
        return "numbers"
    return "points in time" if pd.api.types.is_datetime64_any_dtype(column) else "texts"


def _holds_bytes(column: "pd.Series[Any]") -> bool:
    if isinstance(column.dtype, pd.ArrowDtype):
        kind = column.dtype.pyarrow_dtype
        return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))
    return column.dtype == object and isinstance(column.iloc[0], bytes)


def _form_of(kind: str) -> str:
    named = {"string": "texts", "datetime": "points in time", "binary": "images"}
    return named.get(kind, "numbers")


def load_predictor(
    record: ModelRecord,
    *,
    tracking: Tracking | None = None,
    limit_threads: bool = True,
) -> Predictor:
    """Read a version back from the registry; no code from the file is run.

    Args:
        record: Which one.
        tracking: The MLflow server; the one in MLFLOW_TRACKING_URI when left out.
        limit_threads: See `factory.trainers.dispatch.trainer_of`.

    Raises:
        TerminalError: It holds types of other packages, is stored in a format that runs code, or
            was not registered by a training run.
        TrackingError: The MLflow server does not answer.
    """
    tracking = tracking or Tracking()
    # What loads models knows no client, only the process's one server.
    mlflow.set_tracking_uri(tracking.uri)
    with tracking.asked():
        return read_predictor(record, record.uri, limit_threads=limit_threads)


def read_predictor(record: ModelRecord, uri: str, *, limit_threads: bool = True) -> Predictor:
    """Read a version from where it lies: MLflow's current server, or a folder.

    Args:
        record: Which one it is.
        uri: What MLflow loads it by; a folder's path will do.
        limit_threads: See `factory.trainers.dispatch.trainer_of`.

    Raises:
        TerminalError: See `load_predictor`.
        OtherPredictionsError: In the versions of packages that are installed here it says something else than
            when it was registered.
    """
    check_signature(record)
    with downloaded(uri, record.sha256) as folder:
        known = record if record.inputs else record.with_signature(Model.load(folder).signature)
        if known.task is None or not known.inputs:
            raise TerminalError(
                f"{record.model} version {record.version} has no signature or no tag `task`: it "
                "was not registered by a training run; train the model again"
            )
        trainer = trainer_of(known, limit_threads=limit_threads)
        model = trainer.load_logged(folder, known.packages)
        example = read_example(folder)
        what = f"{known.model} version {known.version}"
        check_replay(what, known.example, trainer, model, example)
        return Predictor(known, model, trainer, example)
