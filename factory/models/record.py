"""What a stored version of a model is: written once when it is registered, and read everywhere.

The registry keeps a record as JSON in one tag of the version. The tags that people look at and
search by stand beside it, and are not read back. A folder that holds a model without a registry has
the record in a file beside the model's own.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pydantic import ConfigDict, Field, ValidationError, model_validator

from factory.base.errors import TerminalError
from factory.base.section import NAME
from factory.base.values import Result
from factory.models.conformal import IntervalWidths
from factory.models.replay import RecordedExample
from factory.training.forecasting.form import LagForm
from factory.training.learning_task import LearningTask, TaskName
from factory.training.tasks import TASKS

if TYPE_CHECKING:
    from mlflow.models import ModelSignature

RECORD = "record"
"""The tag of a registered version that holds its record."""

IMAGE = "binary"
"""MLflow's word for a column of bytes, which hold images."""

RELEASE_FILE = "release.json"
"""The file with the record of a model that lies in a folder, where no registry is asked."""

# MLflow's limit for a tag of a version.
_LONGEST_TAG = 100_000

_METRICS = ("validation_", "test_")
_SNAPSHOT = "snapshot."


class ModelColumn(Result):
    """One column that a model takes."""

    name: str
    type: str
    """MLflow's word for it: `double`, `string`, `datetime`, `binary` for the bytes of images …"""
    nullable: bool
    """Whether it was ever null in training."""


class ModelFacts(Result):
    """What is known of a trained model before the registry gives it a number."""

    # A later release of this package may write more.
    model_config = ConfigDict(extra="ignore", frozen=True, ser_json_inf_nan="strings")

    task: TaskName | None = None
    """What it does; None for a version that no training run registered."""
    targets: tuple[str, ...] = ()
    """The names of its targets, where it has several; empty where it has one."""
    estimator: str = ""
    """Its dotted path."""
    trainer: str = ""
    """The name of the trainer that reads it; empty for versions that were registered without."""
    packages: tuple[str, ...] = ()
    """Top-level packages whose types the model may hold, besides its trainer's own."""
    sha256: str | None = None
    """Of the model's files; None for versions that were registered without."""
    hmac: str | None = None
    """Its signature: see `factory.models.signing`; None for versions that were registered without a key."""
    inputs: tuple[ModelColumn, ...] = ()
    """The columns that it takes, in their order; empty where only its files know."""
    outputs: tuple[str, ...] = ()
    """The types of what it predicts, in MLflow's words."""
    config_hash: str = ""
    """Of the configuration that it was trained by."""
    snapshots: dict[str, int] = Field(default_factory=dict)
    """The versions of the datasets that it was trained on, by full name."""
    metrics: dict[str, float] = Field(default_factory=dict)
    """The `validation_` and `test_` metrics that it was registered with."""
    interval: IntervalWidths | None = None
    """How far off its predictions are; None for other tasks, and for versions that were registered without."""
    forecast: LagForm | None = None
    """What makes the rows that a forecasting model is asked about; None for other models."""
    test_rows: int | None = None
    """How many rows it was tested on; None for versions that were registered without."""
    entity_column: str | None = None
    """The column of which each value has a model of its own; None where there is one model for all rows."""
    entity: str | None = None
    """The value whose own model it is, as text; None where it learned from all rows."""
    example: RecordedExample | None = None
    """What it said of its input example; None for versions that were registered without."""

    @model_validator(mode="before")
    @classmethod
    def _estimators_package(cls, value: Any) -> Any:
        """Versions that were registered without packages may hold types of their estimator's."""
        if isinstance(value, dict) and not value.get("packages") and value.get("estimator"):
            return {**value, "packages": (value["estimator"].partition(".")[0],)}
        return value

    @property
    def features(self) -> tuple[str, ...]:
        """The names of the columns that it takes, in their order."""
        return tuple(column.name for column in self.inputs)

    @property
    def compared(self) -> tuple[str, ...]:
        """The columns of its input in which new rows may differ from those that it learned from."""
        form = self.forecast
        return self.features if form is None else (*form.series, *form.known)

    @property
    def image_column(self) -> str | None:
        """The column of images that it learned from; None if it learned from none."""
        return next((column.name for column in self.inputs if column.type == IMAGE), None)

    def with_signature(self, signature: "ModelSignature | None") -> Self:
        """The same with the columns that MLflow stored with the model, if it stored any."""
        if signature is None or signature.inputs is None or signature.inputs.is_tensor_spec():
            return self
        outputs = signature.outputs.input_types() if signature.outputs else []
        inputs = tuple(
            ModelColumn(name=column.name, type=_type(column.type), nullable=not column.required)
            for column in signature.inputs.inputs
            if column.name is not None
        )
        return self.model_copy(update={"inputs": inputs, "outputs": tuple(map(_type, outputs))})

    def as_tags(self) -> dict[str, str]:
        """The tags that a version is registered with: the record, and what people look for.

        `config_hash` and the snapshots are tags of the whole training run.
        """
        text = self.model_dump_json()
        if len(text) > _LONGEST_TAG:
            # The model's files have the columns too.
            text = self.model_dump_json(exclude={"inputs"})
        return {
            RECORD: text,
            "task": self.task or "",
            "estimator": self.estimator,
            "packages": ",".join(self.packages),
            "sha256": self.sha256 or "",
        }


class ModelRecord(ModelFacts):
    """One version of a model: what it does, what it is made of, and what it learned from."""

    model: str
    """The full name, `team.model`."""
    version: int = Field(ge=1)
    registered_at: datetime
    mlflow_run_id: str = ""
    """MLflow's id of the training run that registered it."""

    @property
    def uri(self) -> str:
        """What MLflow loads it by."""
        return f"models:/{self.model}/{self.version}"

    @property
    def learning_task(self) -> LearningTask:
        """What it does.

        Raises:
            TerminalError: No training run registered it.
        """
        if self.task is None:
            raise TerminalError(
                f"{self.model} version {self.version} has no tag `task`: it was not registered by a "
                "training run; train the model again"
            )
        return TASKS[self.task]

    @classmethod
    def from_tags(
        cls,
        tags: Mapping[str, str],
        *,
        model: str,
        version: int,
        registered_at: datetime,
        mlflow_run_id: str = "",
    ) -> Self:
        """The record of a registered version.

        Versions that were registered before there were records are read from their other tags.

        Args:
            tags: The version's.
            model: The full name, `team.model`.
            version: The version's number.
            registered_at: When the registry got it.
            mlflow_run_id: MLflow's id of the run that registered it.
        """
        of_registry = {
            "model": model,
            "version": version,
            "registered_at": registered_at,
            "mlflow_run_id": mlflow_run_id,
        }
        facts = json.loads(tags[RECORD]) if RECORD in tags else _from_old_tags(tags)
        return cls.model_validate({**facts, **of_registry})

    def write(self, folder: Path) -> None:
        """Put the record beside a model's files, as `RELEASE_FILE`."""
        text = self.model_dump_json(indent=2)
        (folder / RELEASE_FILE).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The record that lies beside a model's files.

        Raises:
            TerminalError: There is none, or none that makes sense.
        """
        file = folder / RELEASE_FILE
        try:
            record = cls.model_validate_json(file.read_bytes())
        except OSError as error:
            raise TerminalError(
                f"{file} cannot be read ({error.strerror}): name a folder that `factory` has filled "
                "with a model"
            ) from None
        except ValidationError as error:
            raise TerminalError(f"{file} is not what `factory` writes: {error}") from None
        if record.task is None or not _is_full_name(record.model):
            raise TerminalError(
                f"{file} is not what `factory` writes: it names no model `team.model` with a task"
            )
        return record


def _from_old_tags(tags: Mapping[str, str]) -> dict[str, Any]:
    """The facts in the tags of a version without a record."""
    task, estimator = tags.get("task"), tags.get("estimator", "")
    return {
        "task": task if task in TASKS else None,
        "estimator": estimator,
        "packages": tuple(filter(None, tags.get("packages", "").split(","))),
        "sha256": tags.get("sha256"),
        "config_hash": tags.get("config_hash", ""),
        "snapshots": {
            name.removeprefix(_SNAPSHOT): int(value)
            for name, value in sorted(tags.items())
            if name.startswith(_SNAPSHOT)
        },
        "metrics": {
            name: float(value) for name, value in tags.items() if name.startswith(_METRICS)
        },
    }


def _type(kind: Any) -> str:
    return str(getattr(kind, "name", kind))


def _is_full_name(name: str) -> bool:
    return name.count(".") == 1 and all(map(NAME.fullmatch, name.split(".")))
