"""Train on images: the head alone, then all layers, as fastai's `fine_tune` does."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch  # noqa: TID253 - whoever imports this module wants torch
from fastai.callback.training import BnFreeze  # noqa: TID253
from fastai.data.core import DataLoaders  # noqa: TID253
from fastai.data.transforms import IntToFloatTensor, Normalize  # noqa: TID253
from fastai.vision.augment import aug_transforms  # noqa: TID253
from numpy.typing import NDArray

from factory.base.errors import TerminalError
from factory.trainers.fastai import vision_network
from factory.trainers.fastai.architectures import Architecture, architecture
from factory.trainers.fastai.description import (
    Head,
    VisionDescription,
    describe_target,
    encode,
)
from factory.trainers.fastai.learned import Learned
from factory.trainers.fastai.learning import History, Lesson
from factory.trainers.fastai.loaders import picture_loaders, tensor_loaders
from factory.trainers.fastai.params import VisionParams
from factory.trainers.fastai.pictures import Pictures
from factory.trainers.fastai.threads import device
from factory.trainers.fastai.weights import load_weights
from factory.trainers.trainer import Rows

logger = logging.getLogger(__name__)

_POOLS = 2
"""Layers at the beginning of fastai's head that have no weights: pooling, and flattening."""


def train_vision(
    params: VisionParams, task: str, training: Rows, validation: Rows, files: Path
) -> tuple[Learned, History]:
    """A network that has learned, and what was measured after each epoch.

    Args:
        params: The hyperparameters.
        task: What the model does.
        training: The rows to learn from.
        validation: The rows to measure each epoch on.
        files: What paths of weights are below.

    Raises:
        TerminalError: The architecture or the weights are not there, or an image is broken.
    """
    if params.frozen_epochs + params.epochs == 0:
        raise TerminalError("`epochs` and `freeze_epochs` are both 0: nothing would be learned")
    body = architecture(params.arch)
    if params.weights is not None:
        load_weights(body.model, params.weights, params.arch, files)
    description = _description(params, task, training, body)
    network, _ = vision_network.build(description, body)
    course = _Course(
        params=params,
        description=description,
        body=body,
        network=network,
        training=_pairs(description, training),
        validation=_pairs(description, validation),
        lesson=Lesson(description.target, wd=params.wd, patience=params.patience),
    )
    if params.frozen_epochs:
        course.train_head()
    if params.epochs:
        course.train_all()
    return Learned(description, network.cpu().eval()), course.lesson.history


def _description(
    params: VisionParams, task: str, training: Rows, body: Architecture
) -> VisionDescription:
    features, target = training
    if len(features.columns) != 1:
        raise TerminalError(
            f"a model of images learns from one column, not from {len(features.columns)} "
            f"({', '.join(map(str, features.columns))}): name it in `features`"
        )
    return VisionDescription(
        column=str(features.columns[0]),
        target=describe_target(task, target),
        arch=params.arch,
        head=Head(ps=params.ps, lin_ftrs=params.lin_ftrs, concat_pool=params.concat_pool),
        size=params.size,
        method=params.method,
        mean=body.mean,
        std=body.std,
    )


def _pairs(description: VisionDescription, rows: Rows) -> tuple[Pictures, NDArray[Any]]:
    features, target = rows
    return vision_network.pictures_of(description, features), encode(description.target, target)


@dataclass(frozen=True)
class _Course:
    """One training, with all that its phases need."""

    params: VisionParams
    description: VisionDescription
    body: Architecture
    network: torch.nn.Module
    training: tuple[Pictures, NDArray[Any]]
    validation: tuple[Pictures, NDArray[Any]]
    lesson: Lesson

    def train_head(self) -> None:
        """Train the head; the body stays as it is."""
        params = self.params
        # With nothing to come, the learning rate has to fall to its end here.
        rises_for = 0.99 if params.epochs else 0.25
        if params.augment or params.train_bn:
            learner = self.lesson.learner(
                self._loaders(), self.network, self.body.split, train_bn=params.train_bn
            )
            learner.freeze()
            callbacks = [] if params.train_bn else [BnFreeze()]
        else:
            learner = self.lesson.learner(self._seen_through_body(), self._head)
            callbacks = []
        self.lesson.one_cycle(
            learner, params.frozen_epochs, slice(params.lr), pct_start=rises_for, cbs=callbacks
        )

    def train_all(self) -> None:
        """Train all layers; after the head alone, the first ones more slowly than the last."""
        params = self.params
        learner = self.lesson.learner(self._loaders(), self.network, self.body.split)
        learner.unfreeze()
        if params.weights is None and not params.frozen_epochs:
            self.lesson.one_cycle(learner, params.epochs, params.lr)
            return
        highest = params.lr / 2
        rates = slice(highest / params.lr_mult, highest)
        self.lesson.one_cycle(learner, params.epochs, rates, pct_start=0.3, div=5.0)

    def _loaders(self) -> DataLoaders:
        random = aug_transforms() if self.params.augment else []
        scale = Normalize.from_stats(
            self.description.mean, self.description.std, cuda=device().type == "cuda"
        )
        return picture_loaders(
            self.training, self.validation, self.params.bs, [IntToFloatTensor(), *random, scale]
        )

    @property
    def _head(self) -> torch.nn.Module:
        """The layers of the head that learn."""
        head: Any = self.network[1]
        layers: torch.nn.Module = head[_POOLS if self.body.pools else 0 :]
        return layers

    def _seen_through_body(self) -> DataLoaders:
        """What the frozen body makes of each image: always the same, so it is asked only once."""
        network: Any = self.network
        pools = network[1][: _POOLS if self.body.pools else 0]
        seeing = torch.nn.Sequential(network[0], *pools).to(device()).eval()
        logger.info(
            "Showing %d images to the frozen body", len(self.training[0]) + len(self.validation[0])
        )
        seen = [
            (torch.cat(list(self._seen(seeing, pictures))), torch.from_numpy(target))
            for pictures, target in (self.training, self.validation)
        ]
        return tensor_loaders(seen[0], seen[1], self.params.bs)

    def _seen(self, seeing: torch.nn.Module, pictures: Pictures) -> Iterator[torch.Tensor]:
        with torch.no_grad():
            for (batch,) in vision_network.batches_of(self.description, pictures):
                yield seeing(batch.to(device())).cpu()
