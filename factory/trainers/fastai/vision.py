"""Models of images: a body and a head, first the head alone and then all layers, and what they are shown."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch  # noqa: TID253 - whoever imports this module wants torch
from fastai.callback.training import BnFreeze  # noqa: TID253
from fastai.data.core import DataLoaders, TfmdDL  # noqa: TID253
from fastai.data.transforms import IntToFloatTensor, Normalize  # noqa: TID253
from fastai.torch_core import TensorImage  # noqa: TID253
from fastai.vision.augment import aug_transforms  # noqa: TID253
from numpy.typing import NDArray

from factory.base.errors import TerminalError
from factory.trainers.fastai.architectures import Architecture, architecture, load_weights
from factory.trainers.fastai.images import EncodedImages, in_order
from factory.trainers.fastai.learning import (
    History,
    TrainingLoop,
    decoders,
    device,
    shuffled,
    tensor_loaders,
)
from factory.trainers.fastai.params import VisionParams
from factory.trainers.fastai.stored import Head, VisionDescription, describe_target, encode
from factory.trainers.trainer import LabelledRows

logger = logging.getLogger(__name__)

_POOLS = 2
"""Layers at the beginning of fastai's head that have no weights: pooling, and flattening."""


_PREDICTED_AT_ONCE = 64


def train_vision(
    params: VisionParams, task: str, training: LabelledRows, validation: LabelledRows, files: Path
) -> tuple[VisionDescription, torch.nn.Module, History]:
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
    network, _ = build(description, body)
    run = _VisionTraining(
        params=params,
        description=description,
        body=body,
        network=network,
        training=_pairs(description, training),
        validation=_pairs(description, validation),
        loop=TrainingLoop(description.target, wd=params.wd, patience=params.patience),
    )
    if params.frozen_epochs:
        run.train_head()
    if params.epochs:
        run.train_all()
    return description, network.cpu().eval(), run.loop.history


def _description(
    params: VisionParams, task: str, training: LabelledRows, body: Architecture
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


def _pairs(
    description: VisionDescription, rows: LabelledRows
) -> tuple[EncodedImages, NDArray[Any]]:
    features, target = rows
    return images_of(description, features), encode(description.target, target)


@dataclass(frozen=True)
class _VisionTraining:
    """One training, with all that its phases need."""

    params: VisionParams
    description: VisionDescription
    body: Architecture
    network: torch.nn.Module
    training: tuple[EncodedImages, NDArray[Any]]
    validation: tuple[EncodedImages, NDArray[Any]]
    loop: TrainingLoop

    def train_head(self) -> None:
        """Train the head; the body stays as it is."""
        params = self.params
        # With nothing to come, the learning rate has to fall to its end here.
        rises_for = 0.99 if params.epochs else 0.25
        if params.augment or params.train_bn:
            learner = self.loop.learner(
                self._loaders(), self.network, self.body.split, train_bn=params.train_bn
            )
            learner.freeze()
            callbacks = [] if params.train_bn else [BnFreeze()]
        else:
            learner = self.loop.learner(self._loaders_after_body(), self._head)
            callbacks = []
        self.loop.one_cycle(
            learner, params.frozen_epochs, slice(params.lr), pct_start=rises_for, cbs=callbacks
        )

    def train_all(self) -> None:
        """Train all layers; after the head alone, the first ones more slowly than the last."""
        params = self.params
        learner = self.loop.learner(self._loaders(), self.network, self.body.split)
        learner.unfreeze()
        if params.weights is None and not params.frozen_epochs:
            self.loop.one_cycle(learner, params.epochs, params.lr)
            return
        highest = params.lr / 2
        rates = slice(highest / params.lr_mult, highest)
        self.loop.one_cycle(learner, params.epochs, rates, pct_start=0.3, div=5.0)

    def _loaders(self) -> DataLoaders:
        random = aug_transforms() if self.params.augment else []
        scale = Normalize.from_stats(
            self.description.mean, self.description.std, cuda=device().type == "cuda"
        )
        return image_loaders(
            self.training, self.validation, self.params.bs, [IntToFloatTensor(), *random, scale]
        )

    @property
    def _head(self) -> torch.nn.Module:
        """The layers of the head that learn."""
        head: Any = self.network[1]
        layers: torch.nn.Module = head[_POOLS if self.body.pools else 0 :]
        return layers

    def _loaders_after_body(self) -> DataLoaders:
        """The frozen body's output for each image: always the same, so it is computed only once."""
        network: Any = self.network
        pools = network[1][: _POOLS if self.body.pools else 0]
        frozen = torch.nn.Sequential(network[0], *pools).to(device()).eval()
        logger.info(
            "Showing %d images to the frozen body", len(self.training[0]) + len(self.validation[0])
        )
        outputs = [
            (torch.cat(list(self._after_body(frozen, images))), torch.from_numpy(target))
            for images, target in (self.training, self.validation)
        ]
        return tensor_loaders(outputs[0], outputs[1], self.params.bs)

    def _after_body(self, frozen: torch.nn.Module, images: EncodedImages) -> Iterator[torch.Tensor]:
        with torch.no_grad():
            for (batch,) in batches_of(self.description, images):
                yield frozen(batch.to(device())).cpu()


def build(
    description: VisionDescription, body: Architecture | None = None
) -> tuple[torch.nn.Module, Architecture]:
    """Body and head, with weights drawn at random unless a body is given."""
    body = body or architecture(description.arch)
    network = body.with_head(description.head, description.target.outputs)
    # Convolutions on a CPU are up to twice as fast so.
    return network.to(memory_format=torch.channels_last), body


def images_of(description: VisionDescription, features: pd.DataFrame) -> EncodedImages:
    """The images of some rows.

    Raises:
        TerminalError: The rows have no such column.
    """
    if description.column not in features:
        raise TerminalError(
            f"there is no column {description.column!r} of images: "
            f"the rows have {', '.join(map(str, features.columns)) or 'none'}"
        )
    return EncodedImages(features[description.column], description.size, description.method)


def batches(
    description: VisionDescription, features: pd.DataFrame
) -> Iterator[tuple[torch.Tensor, ...]]:
    """The images of rows, decoded and normalized, some at a time."""
    return batches_of(description, images_of(description, features))


def batches_of(
    description: VisionDescription, images: EncodedImages
) -> Iterator[tuple[torch.Tensor, ...]]:
    """Images, decoded and normalized, some at a time."""
    for start in range(0, len(images), _PREDICTED_AT_ONCE):
        places = range(start, min(start + _PREDICTED_AT_ONCE, len(images)))
        yield (normalized(description, torch.from_numpy(images.stack(places, decoders()))),)


def normalized(description: VisionDescription, pixels: torch.Tensor) -> torch.Tensor:
    """Images as the network sees them: colours first, around 0.

    Args:
        description: The model's.
        pixels: How many x height x width x 3, from 0 to 255.
    """
    mean, std = torch.tensor(description.mean), torch.tensor(description.std)
    return ((pixels / 255 - mean) / std).permute(0, 3, 1, 2)


class _ImagesWithTarget:
    """Images and targets one by one, each image decoded when it is asked for."""

    def __init__(self, images: EncodedImages, target: NDArray[Any], *, training: bool) -> None:
        self.images, self.target = images, torch.from_numpy(target)
        self.split_idx = 0 if training else 1
        """fastai's word for it: random transforms are for 0 only."""

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, place: int) -> tuple[TensorImage, torch.Tensor]:
        pixels = np.ascontiguousarray(self.images[place].transpose(2, 0, 1))
        return TensorImage(torch.from_numpy(pixels)), self.target[place]


def image_loaders(
    training: tuple[EncodedImages, NDArray[Any]],
    validation: tuple[EncodedImages, NDArray[Any]],
    bs: int,
    transforms: Sequence[Callable[..., Any]],
) -> DataLoaders:
    """Loaders of images that are decoded when they are asked for.

    Args:
        training: Images, and a target for each.
        validation: The same, of the rows to measure on.
        bs: LabelledRows of a batch.
        transforms: What happens to each batch of pixels from 0 to 255.
    """
    first = _ImagesWithTarget(*training, training=True)
    second = _ImagesWithTarget(*validation, training=False)
    options = {"num_workers": 0, "device": device(), "after_batch": list(transforms)}
    threads = decoders()
    return DataLoaders(
        ImageLoader(first, threads, **shuffled(len(first), bs), **options),
        ImageLoader(second, threads, bs=bs, **options),
        device=device(),
    )


class ImageLoader(TfmdDL):  # type: ignore[misc]
    """Batches of images that threads decode ahead; no processes of their own, which would copy all images."""

    def __init__(self, images: "_ImagesWithTarget", threads: int, **options: Any) -> None:
        super().__init__(images, **options)
        self.threads = threads

    def create_batches(self, samps: Iterable[int]) -> Iterator[Any]:
        """The batches of one epoch; their order and content do not depend on the threads."""
        self.it = iter(self.dataset)
        items = in_order(self.do_item, samps, self.threads, ahead=4 * self.bs)
        return map(self.do_batch, self.chunkify(items))
