"""fastai behind the trainers' protocol."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd
from numpy.typing import NDArray
from pydantic import ValidationError

from factory.base.errors import TerminalError
from factory.trainers.fastai import stored
from factory.trainers.fastai.learned import rebuilt
from factory.trainers.fastai.params import PARAMS, TabularParams, VisionParams
from factory.trainers.fastai.threads import limited, repeatable
from factory.trainers.trainer import Fitted, LoggedModel, Predictions, Rows, TrainedModel
from factory.training.tasks import TaskName


@dataclass(frozen=True)
class FastaiTrainer:
    """Trains networks on images or tables; on a GPU where there is one."""

    task: TaskName
    estimator: str
    threads: int | None = None
    """How many processors torch may take; None leaves it to the process."""
    files: Path | None = None
    """What paths of weights are below; the current folder when left out."""

    suffix: ClassVar[str] = ".safetensors"
    watches_validation: ClassVar[bool] = True

    def fit(
        self,
        estimator: str,
        params: Mapping[str, Any],
        features: pd.DataFrame,
        target: NDArray[Any],
        seed: int,
        validation: Rows | None = None,
    ) -> Fitted:
        """See `Trainer.fit`. Without validation rows, epochs are measured on the training rows."""
        read = read_params(estimator, params)
        training = (features, target)
        measured = training if validation is None else validation
        if len(features) < 2:
            raise TerminalError(
                f"{estimator} needs two rows or more, and there are {len(features)}"
            )
        with limited(self.threads), repeatable(seed):
            if isinstance(read, VisionParams):
                from factory.trainers.fastai.vision import train_vision

                files = self.files or Path()
                learned, history = train_vision(read, self.task, training, measured, files)
            else:
                from factory.trainers.fastai.tabular import train_tabular

                learned, history = train_tabular(read, self.task, training, measured)
        return Fitted(learned, history=tuple(history))

    def save(self, model: TrainedModel, file: Path) -> None:
        """See `Trainer.save`."""
        stored.write_file(model.description, model.network.state_dict(), file)

    def load(self, file: Path) -> TrainedModel:
        """See `Trainer.load`."""
        return rebuilt(*stored.read_file(file))

    def predict(self, model: TrainedModel, features: pd.DataFrame) -> Predictions:
        """See `Trainer.predict`."""
        with limited(self.threads):
            predictions: Predictions = model.predict(features)
        return predictions

    def log_model(self, model: TrainedModel, logged: LoggedModel) -> str:
        """See `Trainer.log_model`."""
        # Late, because fitting needs no MLflow, and importing it takes more than a second.
        from factory.trainers.fastai.logged import log_learned

        return log_learned(model, logged)

    def load_logged(self, folder: Path, packages: Sequence[str]) -> TrainedModel:  # noqa: ARG002
        """See `Trainer.load_logged`; there are no types in the files that one could trust or not."""
        from factory.trainers.fastai.logged import load_learned

        return load_learned(folder)


def read_params(estimator: str, params: Mapping[str, Any]) -> VisionParams | TabularParams:
    """The hyperparameters of a trial.

    Raises:
        TerminalError: fastai has no such estimator, or the estimator no such parameter or value.
    """
    known = PARAMS.get(estimator)
    if known is None:
        raise TerminalError(f"fastai has no estimator {estimator}: there are {', '.join(PARAMS)}")
    try:
        return known.model_validate(dict(params))
    except ValidationError as error:
        wrong = "; ".join(
            f"`{'.'.join(map(str, each['loc']))}`: {each['msg']}" for each in error.errors()
        )
        raise TerminalError(f"{estimator} does not take {dict(params)}: {wrong}") from None
