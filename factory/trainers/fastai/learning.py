"""How networks learn: fastai's loop over batches, measured after each epoch, the same for the same seed."""

import gc
import logging
import math
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch  # noqa: TID253 - whoever imports this module wants torch
from fastai.callback.schedule import ParamScheduler  # noqa: F401, TID253 - adds fit_one_cycle
from fastai.callback.tracker import (  # noqa: TID253
    EarlyStoppingCallback,
    TerminateOnNaNCallback,
    TrackerCallback,
)
from fastai.data.core import DataLoaders  # noqa: TID253
from fastai.data.load import DataLoader  # noqa: TID253
from fastai.learner import Learner  # noqa: TID253
from fastai.losses import CrossEntropyLossFlat, MSELossFlat  # noqa: TID253
from fastai.metrics import accuracy  # noqa: TID253

from factory.base.errors import FactoryError, TerminalError
from factory.trainers.fastai.stored import Classes, Number

logger = logging.getLogger(__name__)

History = list[Mapping[str, float]]

Tensors = tuple[torch.Tensor, ...]
"""What the network sees of each row, and last the target."""

PREDICTED_AT_ONCE = 256


def device() -> torch.device:
    """Where networks run: on a GPU of CUDA's where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@contextmanager
def limited(threads: int | None) -> Iterator[None]:
    """Let torch take so many processors; None leaves it to the process."""
    before = torch.get_num_threads()
    if threads is not None and threads != before:
        torch.set_num_threads(threads)
    try:
        yield
    finally:
        if torch.get_num_threads() != before:
            torch.set_num_threads(before)


@contextmanager
def repeatable(seed: int) -> Iterator[None]:
    """Draw everything at random from a seed, and leave the process's own generators as they were.

    On the CPU, the same seed and the same number of threads give the same numbers to the last bit.
    """
    of_python, of_numpy = random.getstate(), np.random.get_state()
    strict = torch.are_deterministic_algorithms_enabled()
    warns = torch.is_deterministic_algorithms_warn_only_enabled()
    cards = [torch.cuda.current_device()] if torch.cuda.is_available() else []
    with torch.random.fork_rng(cards):
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
        # On a GPU some layers have no deterministic form: they warn, and are used all the same.
        torch.use_deterministic_algorithms(True, warn_only=True)  # noqa: FBT003
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(strict, warn_only=warns)
            random.setstate(of_python)
            np.random.set_state(of_numpy)


@contextmanager
def memory_given_back() -> Iterator[None]:
    """Give a GPU's memory back afterwards: other trials may share the card.

    Raises:
        FactoryError: The memory does not suffice now.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise FactoryError(
            f"the GPU's memory does not suffice: {error}. Lower `bs` or `size`, or `parallel_trials` if others share it"
        ) from error
    finally:
        if torch.cuda.is_available():
            gc.collect()  # learner and network refer to each other
            torch.cuda.empty_cache()


@contextmanager
def as_on_a_cpu() -> Iterator[None]:
    """Have a GPU reckon as exactly as a CPU does: a model answers the same wherever it is asked."""
    cudnn = torch.backends.cudnn
    with cudnn.flags(enabled=cudnn.enabled, benchmark=cudnn.benchmark, allow_tf32=False):
        yield


def decoders() -> int:
    """How many threads decode images ahead of a network: none on a CPU, where they would take its processors."""
    return torch.get_num_threads() if device().type == "cuda" else 0


class TensorLoader(DataLoader):  # type: ignore[misc]
    """Batches out of tensors that lie in memory; each batch is taken at once."""

    def __init__(self, tensors: Tensors, **options: Any) -> None:
        super().__init__(range(len(tensors[0])), num_workers=0, device=device(), **options)
        self.tensors = tensors

    def do_item(self, place: int) -> int:
        """A row is its place."""
        return place

    def create_batch(self, places: list[int]) -> Tensors:
        """The rows at these places."""
        return tuple(tensor[places] for tensor in self.tensors)

    def retain(self, batch: Tensors, _: object) -> Tensors:
        """Tensors stay what they are."""
        return batch


def tensor_loaders(training: Tensors, validation: Tensors, bs: int) -> DataLoaders:
    """Loaders of tensors that lie in memory."""
    return DataLoaders(
        TensorLoader(training, **shuffled(len(training[0]), bs)),
        TensorLoader(validation, bs=PREDICTED_AT_ONCE),
        device=device(),
    )


def shuffled(rows: int, bs: int) -> dict[str, Any]:
    """What a loader is told so that training rows come in another order each epoch."""
    # Batch normalization refuses a batch of one row.
    return {"bs": min(bs, rows), "shuffle": True, "drop_last": rows > bs and rows % bs == 1}


class EpochHistory(TrackerCallback):  # type: ignore[misc]
    """Writes down what was measured after each epoch, and keeps the best epoch's weights."""

    order = TrackerCallback.order + 1

    def __init__(self, history: History, *, keep_best: bool) -> None:
        super().__init__()
        self.history, self.keep_best = history, keep_best
        self.kept: dict[str, torch.Tensor] | None = None

    def before_epoch(self) -> None:
        """Start the epoch's clock."""
        self.began = time.perf_counter()

    def after_epoch(self) -> None:
        """Write the epoch down."""
        super().after_epoch()
        train_loss, valid_loss, metric = map(float, self.recorder.values[-1][:3])
        name = self.recorder.metric_names[3]
        epoch = {
            "train_loss": train_loss,
            "valid_loss": valid_loss,
            f"valid_{name}": metric,
            "seconds": time.perf_counter() - self.began,
        }
        self.history.append(epoch)
        logger.info(
            "Epoch %d: %s",
            len(self.history),
            ", ".join(f"{key} {value:.4g}" for key, value in epoch.items()),
        )
        if self.keep_best and self.new_best:
            self.kept = {
                key: value.detach().clone() for key, value in self.model.state_dict().items()
            }

    def after_fit(self) -> None:
        """Go back to the best epoch."""
        super().after_fit()
        if self.kept is not None:
            self.model.load_state_dict(self.kept)
            self.kept = None


@dataclass
class TrainingLoop:
    """The loop of one training, through one phase or several."""

    target: Classes | Number
    wd: float
    patience: int | None
    history: History = field(default_factory=list)

    def learner(
        self,
        loaders: DataLoaders,
        network: torch.nn.Module,
        splitter: Callable[[torch.nn.Module], Any] | None = None,
        *,
        train_bn: bool = True,
    ) -> Learner:
        """A learner of fastai's for a network."""
        classifies = isinstance(self.target, Classes)
        return Learner(
            loaders,
            network,
            loss_func=CrossEntropyLossFlat() if classifies else MSELossFlat(),
            metrics=[accuracy if classifies else _mean_absolute_error(self.target)],
            wd=self.wd,
            train_bn=train_bn,
            **({} if splitter is None else {"splitter": splitter}),
        )

    def one_cycle(self, learner: Learner, epochs: int, lr: float | slice, **options: Any) -> None:
        """Train for some epochs, the learning rate rising and falling once.

        Raises:
            TerminalError: The loss is no number any more.
        """
        callbacks: list[Any] = [
            EpochHistory(self.history, keep_best=self.patience is not None),
            TerminateOnNaNCallback(),
        ]
        if self.patience is not None:
            callbacks.append(EarlyStoppingCallback(patience=self.patience))
        callbacks += options.pop("cbs", [])
        before = len(self.history)
        with learner.no_bar(), learner.no_logging():
            learner.fit_one_cycle(epochs, lr, cbs=callbacks, **options)
        after = self.history[before:]
        # Where the loss is no number, fastai ends without measuring the epoch.
        finished = after and all(math.isfinite(value) for each in after for value in each.values())
        if not finished or (len(after) < epochs and self.patience is None):
            raise TerminalError(
                f"the loss is no number any more after epoch {len(self.history)}: "
                "lower `lr`, or scale what is learned from"
            )


def _mean_absolute_error(target: Classes | Number) -> Callable[..., Any]:
    deviation = target.deviation if isinstance(target, Number) else 1.0

    def mean_absolute_error(outputs: Any, truth: Any) -> Any:
        return (outputs.flatten() - truth.flatten()).abs().mean() * deviation

    return mean_absolute_error
