"""The rows of both sides of a window: those that a version was trained on, and today's."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow.dataset

from factory.base.errors import TerminalError
from factory.base.values import Result
from factory.lake.table import Lake
from factory.models.batch_prediction import prediction_rows
from factory.models.record import ModelRecord
from factory.training.model import Model
from factory.training.rows import model_rows


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


@dataclass(frozen=True)
class WindowRows:
    """Reads both sides, after the transforms of the model."""

    watched: MonitoredData
    model: Model
    lake: Lake
    workspace: Path

    def reference(self, record: ModelRecord, scratch: Path) -> pyarrow.dataset.Dataset:
        """What a version was trained on.

        Raises:
            TerminalError: The version was trained on other datasets.
        """
        return model_rows(
            self.watched.train_on,
            self.model.transforms,
            workspace=scratch,
            lake=self.lake,
            versions=self.reference_versions(record),
        )

    def reference_versions(self, record: ModelRecord) -> dict[str, int]:
        """The snapshots that a version was trained on, by dataset.

        Raises:
            TerminalError: It was trained on other datasets.
        """
        unknown = [name for name in self.watched.train_on if name not in record.snapshots]
        if unknown:
            raise TerminalError(
                f"{record.model} version {record.version} was not trained on "
                f"{', '.join(unknown)}, but on {', '.join(record.snapshots) or 'nothing known'}: "
                "train it again"
            )
        return {name: record.snapshots[name] for name in self.watched.train_on}

    def current(
        self, versions: Mapping[str, int], record: ModelRecord, scratch: Path
    ) -> pyarrow.dataset.Dataset:
        """Today's rows.

        Args:
            versions: The version to read, of every dataset.
            record: Of a version, whose training knows of what type the target is.
            scratch: A folder for what is made on the way.
        """
        first = self.watched.train_on[0]
        trained_on = self.lake.snapshot(first, self.reference_versions(record)[first])
        by_predict = self.watched.predictions is not None
        return prediction_rows(
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

    def folder(self, name: str) -> Path:
        """A folder of this name for what is made on the way."""
        folder = self.workspace / name
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder
