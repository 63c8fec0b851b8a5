"""The contract of a training job: SageMaker's folders, and how a failure says its reason.

Light, since `factory-train` imports it before anything else.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from factory.base.errors import FactoryError, TerminalError
from factory.base.files import write_json

BASE_VARIABLE = "FACTORY_TRAIN_BASE"
"""The environment variable that puts another folder in the place of /opt/ml."""

SPLIT = "split"
"""The channel with the rows: `train.arrow`, and `validation.arrow` or `folds.npy`; with their weights, if they have some."""
SETTINGS = "settings"
"""The channel with `settings.json`."""
FIT = "fit.json"
"""The last file that a job puts into its model folder: it describes the model."""

_TERMINAL = f"{TerminalError.__name__}: "
_LONGEST_REASON = 1024
"""As much of a failure's text as SageMaker keeps."""


@dataclass(frozen=True)
class JobLayout:
    """The folders below `/opt/ml`, or below another folder that stands for it."""

    base: Path

    @classmethod
    def here(cls) -> "JobLayout":
        """That of this container, or of this process."""
        return cls(Path(os.environ.get(BASE_VARIABLE) or "/opt/ml"))

    @property
    def model(self) -> Path:
        """Whatever lies here in the end is the result."""
        return self.base / "model"

    @property
    def hyperparameters(self) -> Path:
        """The file that says which trial it is; all its values are texts."""
        return self.base / "input" / "config" / "hyperparameters.json"

    def channel(self, name: str) -> Path:
        """The folder of input data of this name."""
        return self.base / "input" / "data" / name

    @property
    def failure(self) -> Path:
        """The file that says why a training failed."""
        return self.base / "output" / "failure"

    def make(self, hyperparameters: Mapping[str, str]) -> None:
        """Make the folders, without the channels, for a job that is to run here."""
        for folder in (self.model, self.failure.parent, self.channel(SPLIT).parent):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.hyperparameters.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_json(self.hyperparameters, dict(hyperparameters))

    def fail(self, reason: str) -> None:
        """Say why the training failed."""
        self.failure.parent.mkdir(parents=True, exist_ok=True)
        if len(reason) > _LONGEST_REASON:
            reason = f"{reason[: _LONGEST_REASON - 2]} …"
        self.failure.write_text(reason, encoding="utf-8")


def as_reason(error: BaseException) -> str:
    """What a job leaves as its reason for an error."""
    if isinstance(error, TerminalError):
        return f"{_TERMINAL}{error}"
    if isinstance(error, FactoryError):
        return str(error)
    return f"{type(error).__name__}: {error}"


def read_reason(reason: str) -> tuple[str, bool]:
    """What `as_reason` wrote: the reason, and whether another job would fail likewise."""
    text = reason.strip().rstrip(".")
    if text.startswith(_TERMINAL):
        return text.removeprefix(_TERMINAL), True
    return text or "it left no reason", False
