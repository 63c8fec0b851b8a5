"""The trainer of fastai's estimators. Whoever imports this module imports no torch yet."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from factory.base.errors import TerminalError
from factory.base.findings import Question, as_findings
from factory.base.rules import Broken
from factory.trainers.fastai.estimator_check import check_params
from factory.trainers.fastai.params import (
    HOW_TO_INSTALL,
    VisionParams,
    package_of_weights,
    read_params,
)
from factory.trainers.trainer import (
    Fitted,
    Groups,
    LoggedModel,
    Predictions,
    Rows,
    TrainedModel,
    Trainer,
    Weights,
    WrittenEstimator,
)

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray


@dataclass(frozen=True)
class FastaiTrainer(Trainer):
    """Networks of fastai on images or tables; on a GPU where there is one."""

    title: ClassVar[str] = "fastai"
    may_be_quick: ClassVar[bool] = False
    needs: ClassVar[tuple[str, ...]] = ("fastai", "torch", "timm", "safetensors")
    how_to_install: ClassVar[str] = HOW_TO_INSTALL
    serving_distributions: ClassVar[tuple[str, ...]] = ("fastai", "safetensors", "timm")
    file_params: ClassVar[tuple[str, ...]] = ("weights",)
    suffix: ClassVar[str] = ".safetensors"

    @classmethod
    def handles(cls, estimator: str) -> bool:
        """See `Trainer.handles`."""
        return estimator.startswith("fastai.")

    @classmethod
    def learns_from_images(cls, estimator: str) -> bool:
        """See `Trainer.learns_from_images`."""
        return estimator.startswith("fastai.vision.")

    @classmethod
    def looks_at_validation(cls, estimator: str, params: Mapping[str, Any]) -> bool:
        """See `Trainer.looks_at_validation`: after each epoch."""
        del estimator, params
        return True

    @classmethod
    def refuses_folds(cls, estimator: str, params: Mapping[str, Any]) -> str | None:
        """See `Trainer.refuses_folds`: networks on images, and those that stop early."""
        if cls.learns_from_images(estimator):
            return f"{estimator} takes long to train, and folds train each trial many times"
        if params.get("patience") not in (None, [None]):
            return "`patience` stops by validation rows, and with folds there are none for the model itself"
        return None

    @classmethod
    def refuses_refit(cls, estimator: str, params: Mapping[str, Any]) -> str | None:
        """See `Trainer.refuses_refit`: networks that stop early."""
        del estimator
        if params.get("patience") not in (None, [None]):
            return "`patience` stops by validation rows, and a refit learns from all of these"
        return None

    @classmethod
    def check(
        cls,
        estimator: str,
        params: Mapping[str, Any],
        surroundings: object,
        *,
        spaces: tuple[str, ...] = (),
    ) -> Broken:
        """See `Trainer.check`."""
        return check_params(estimator, params, surroundings, spaces=spaces)

    @classmethod
    def questions(cls, written: WrittenEstimator) -> Iterator[Question]:
        """See `Trainer.questions`: whether its architectures are there."""
        if "arch" in written.params:
            function = "factory.trainers.fastai.estimator_check:answer"
            yield Question(function, written.as_json(), as_findings, imports=(written.path,))

    @classmethod
    def project_file(cls, value: object) -> str | None:
        """See `Trainer.project_file`; weights may lie in an installed package instead."""
        return value if isinstance(value, str) and package_of_weights(value) is None else None

    def fit(
        self,
        estimator: str,
        params: Mapping[str, Any],
        features: "pd.DataFrame",
        target: "NDArray[Any] | None",
        seed: int,
        validation: "Rows | None" = None,
        weights: Weights | None = None,  # noqa: ARG002 - refused by `takes_fitting`
        groups: Groups | None = None,  # noqa: ARG002 - it has no rankings
    ) -> Fitted:
        """See `Trainer.fit`. Without validation rows, epochs are measured on the training rows."""
        from factory.trainers.fastai.learned import Learned
        from factory.trainers.fastai.learning import limited, memory_given_back, repeatable

        read = read_params(estimator, params)
        training = (features, _known(target))
        measured = training if validation is None else (validation[0], _known(validation[1]))
        if len(features) < 2:
            raise TerminalError(
                f"{estimator} needs two rows or more, and there are {len(features)}"
            )
        with memory_given_back(), limited(self.threads), repeatable(seed):
            trained: Any
            if isinstance(read, VisionParams):
                from factory.trainers.fastai.vision import train_vision

                files = self.files or Path()
                trained = train_vision(read, self.task, training, measured, files)
            else:
                from factory.trainers.fastai.tabular import train_tabular

                trained = train_tabular(read, self.task, training, measured)
        description, network, history = trained
        return Fitted(Learned(description, network), history=tuple(history))

    def save(self, model: TrainedModel, file: Path) -> None:
        """See `Trainer.save`."""
        from factory.trainers.fastai import stored

        stored.write_file(model.description, model.network.state_dict(), file)

    def load(self, file: Path) -> TrainedModel:
        """See `Trainer.load`."""
        from factory.trainers.fastai import stored
        from factory.trainers.fastai.learned import rebuilt

        return rebuilt(*stored.read_file(file))

    def predict(self, model: TrainedModel, features: "pd.DataFrame") -> Predictions:
        """See `Trainer.predict`."""
        from factory.trainers.fastai.learning import limited

        with limited(self.threads):
            predictions: Predictions = model.predict(features)
        return predictions

    def log_model(self, model: TrainedModel, logged: LoggedModel) -> str:
        """See `Trainer.log_model`."""
        # Late, because fitting needs no MLflow, and importing it takes more than a second.
        from factory.trainers.fastai.learned import log_learned

        return log_learned(model, logged)

    def load_logged(self, folder: Path, packages: Sequence[str]) -> TrainedModel:  # noqa: ARG002
        """See `Trainer.load_logged`; there are no types in the files that one could trust or not."""
        from factory.trainers.fastai.learned import load_learned

        return load_learned(folder)


def _known(target: "NDArray[Any] | None") -> "NDArray[Any]":
    assert target is not None  # noqa: S101 - its tasks learn from one
    return target
