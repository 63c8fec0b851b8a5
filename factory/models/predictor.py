"""A registered version that is loaded and can be asked; no code from its file is run."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import mlflow
import pandas as pd
import pyarrow as pa
from mlflow.models import ModelSignature

from factory.base.errors import TerminalError
from factory.models.files import TAG, downloaded, read_example
from factory.models.registry import Version
from factory.models.tracking import Tracking
from factory.trainers.dispatch import trainer_of
from factory.trainers.trainer import Predictions, TrainedModel, Trainer
from factory.training.tasks import TASKS


@dataclass(frozen=True)
class Predictor:
    """A version that is loaded and can be asked."""

    version: Version
    signature: ModelSignature
    """The names and types of the features, as MLflow knows them."""
    _model: TrainedModel
    _trainer: Trainer
    example: pd.DataFrame | None = None
    """The rows that it was registered with, to try it with; None if it has lost them."""

    @property
    def features(self) -> tuple[str, ...]:
        """The names of the columns that it learned from, in their order."""
        return tuple(self.signature.inputs.input_names())

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
        for column in self.signature.inputs.inputs:
            if column.name not in rows:
                wrong.append(f"there is no column {column.name!r}")
            elif rows[column.name].isna().all():
                continue
            elif (found := _form(rows[column.name])) != (wanted := _form_of(column.type.name)):
                wrong.append(f"{column.name!r} holds {found}, and it learned from {wanted}")
        if wrong:
            raise TerminalError(
                f"{self.version.model} version {self.version.number} cannot predict these rows: "
                f"{'; '.join(wrong)}"
            )


def _form(column: "pd.Series[Any]") -> str:
    if _holds_bytes(column):
        return "pictures"
    if pd.api.types.is_numeric_dtype(column):
        return "numbers"
    return "points in time" if pd.api.types.is_datetime64_any_dtype(column) else "texts"


def _holds_bytes(column: "pd.Series[Any]") -> bool:
    if isinstance(column.dtype, pd.ArrowDtype):
        kind = column.dtype.pyarrow_dtype
        return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))
    return column.dtype == object and isinstance(column.iloc[0], bytes)


def _form_of(kind: str) -> str:
    named = {"string": "texts", "datetime": "points in time", "binary": "pictures"}
    return named.get(kind, "numbers")


def load_predictor(
    version: Version,
    *,
    packages: Iterable[str] | None = None,
    tracking: Tracking | None = None,
    limit_threads: bool = True,
) -> Predictor:
    """Read a version back; no code from the file is run.

    Args:
        version: Which one.
        packages: Packages whose types the model may hold beside scikit-learn's; those that its own
            configuration named when left out.
        tracking: The MLflow server; the one in MLFLOW_TRACKING_URI when left out.
        limit_threads: See `factory.trainers.trainer_of`.

    Raises:
        TerminalError: It holds types of other packages, is stored in a format that runs code, or
            was not registered by a training run.
        TrackingError: The MLflow server does not answer.
    """
    tracking = tracking or Tracking()
    # What loads models knows no client, only the process's one server.
    mlflow.set_tracking_uri(tracking.uri)
    with tracking.asked() as client:
        task = version.tags.get("task") or client.get_run(version.run_id).data.tags.get("task")
        return read_predictor(
            version, version.uri, task=task, packages=packages, limit_threads=limit_threads
        )


def read_predictor(
    version: Version,
    uri: str,
    *,
    task: str | None,
    packages: Iterable[str] | None = None,
    limit_threads: bool = True,
) -> Predictor:
    """Read a version from where it lies: MLflow's current server, or a folder.

    Args:
        version: Which one it is.
        uri: What MLflow loads it by; a folder's path will do.
        task: What it does, as it was registered.
        packages: See `load_predictor`.
        limit_threads: See `factory.trainers.trainer_of`.

    Raises:
        TerminalError: See `load_predictor`.
    """
    with downloaded(uri, version.tags.get(TAG)) as folder:
        signature = mlflow.models.Model.load(folder).signature
        learned = TASKS.get(task or "")
        if signature is None or signature.inputs is None or learned is None:
            raise TerminalError(
                f"{version.model} version {version.number} has no signature or no tag `task`: it "
                "was not registered by a training run; train the model again"
            )
        trainer = trainer_of(
            learned.name,
            version.tags.get("estimator", ""),
            limit_threads=limit_threads,
        )
        trusted = tuple(packages) if packages is not None else _packages(version)
        model = trainer.load_logged(folder, trusted)
        return Predictor(version, signature, model, trainer, read_example(folder))


def _packages(version: Version) -> tuple[str, ...]:
    named = version.tags.get("packages") or version.tags.get("estimator", "").partition(".")[0]
    return tuple(filter(None, named.split(",")))
