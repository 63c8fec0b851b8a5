"""Rows in batches, in the form that fastai's learner takes."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch  # noqa: TID253 - whoever imports this module wants torch
from fastai.data.core import DataLoaders, TfmdDL  # noqa: TID253
from fastai.data.load import DataLoader  # noqa: TID253
from fastai.torch_core import TensorImage  # noqa: TID253
from numpy.typing import NDArray

from factory.trainers.fastai.pictures import Pictures
from factory.trainers.fastai.threads import device

Tensors = tuple[torch.Tensor, ...]
"""What the network sees of each row, and last the target."""

PREDICTED_AT_ONCE = 256


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


class PicturesWithTarget:
    """Images and targets one by one, each image decoded when it is asked for."""

    def __init__(self, pictures: Pictures, target: NDArray[Any], *, training: bool) -> None:
        self.pictures, self.target = pictures, torch.from_numpy(target)
        self.split_idx = 0 if training else 1
        """fastai's word for it: random transforms are for 0 only."""

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, place: int) -> tuple[TensorImage, torch.Tensor]:
        pixels = np.ascontiguousarray(self.pictures[place].transpose(2, 0, 1))
        return TensorImage(torch.from_numpy(pixels)), self.target[place]


def tensor_loaders(training: Tensors, validation: Tensors, bs: int) -> DataLoaders:
    """Loaders of tensors that lie in memory."""
    return DataLoaders(
        TensorLoader(training, **_shuffled(len(training[0]), bs)),
        TensorLoader(validation, bs=PREDICTED_AT_ONCE),
        device=device(),
    )


def picture_loaders(
    training: tuple[Pictures, NDArray[Any]],
    validation: tuple[Pictures, NDArray[Any]],
    bs: int,
    transforms: Sequence[Callable[..., Any]],
) -> DataLoaders:
    """Loaders of images that are decoded when they are asked for.

    Args:
        training: Images, and a target for each.
        validation: The same, of the rows to measure on.
        bs: Rows of a batch.
        transforms: What happens to each batch of pixels from 0 to 255.
    """
    first = PicturesWithTarget(*training, training=True)
    second = PicturesWithTarget(*validation, training=False)
    # No processes of their own: images decode in less time than a network takes for them.
    options = {"num_workers": 0, "device": device(), "after_batch": list(transforms)}
    return DataLoaders(
        TfmdDL(first, **_shuffled(len(first), bs), **options),
        TfmdDL(second, bs=bs, **options),
        device=device(),
    )


def _shuffled(rows: int, bs: int) -> dict[str, Any]:
    # Batch normalization refuses a batch of one row.
    return {"bs": min(bs, rows), "shuffle": True, "drop_last": rows > bs and rows % bs == 1}
