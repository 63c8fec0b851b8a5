"""The network of a model of images, and what it is shown."""

from collections.abc import Iterator

import pandas as pd
import torch  # noqa: TID253 - whoever imports this module wants torch

from factory.base.errors import TerminalError
from factory.trainers.fastai.architectures import Architecture, architecture
from factory.trainers.fastai.description import VisionDescription
from factory.trainers.fastai.pictures import Pictures

_AT_ONCE = 64


def build(
    description: VisionDescription, body: Architecture | None = None
) -> tuple[torch.nn.Module, Architecture]:
    """Body and head, with weights drawn at random unless a body is given."""
    body = body or architecture(description.arch)
    network = body.with_head(description.head, description.target.outputs)
    # Convolutions on a CPU are up to twice as fast so.
    return network.to(memory_format=torch.channels_last), body


def pictures_of(description: VisionDescription, features: pd.DataFrame) -> Pictures:
    """The images of some rows.

    Raises:
        TerminalError: The rows have no such column.
    """
    if description.column not in features:
        raise TerminalError(
            f"there is no column {description.column!r} of images: "
            f"the rows have {', '.join(map(str, features.columns)) or 'none'}"
        )
    return Pictures(features[description.column], description.size, description.method)


def batches(
    description: VisionDescription, features: pd.DataFrame
) -> Iterator[tuple[torch.Tensor, ...]]:
    """The images of rows, decoded and normalized, some at a time."""
    return batches_of(description, pictures_of(description, features))


def batches_of(
    description: VisionDescription, pictures: Pictures
) -> Iterator[tuple[torch.Tensor, ...]]:
    """Images, decoded and normalized, some at a time."""
    for start in range(0, len(pictures), _AT_ONCE):
        places = range(start, min(start + _AT_ONCE, len(pictures)))
        yield (normalized(description, torch.from_numpy(pictures.stack(places))),)


def normalized(description: VisionDescription, pixels: torch.Tensor) -> torch.Tensor:
    """Images as the network sees them: colours first, around 0.

    Args:
        description: The model's.
        pixels: How many x height x width x 3, from 0 to 255.
    """
    mean, std = torch.tensor(description.mean), torch.tensor(description.std)
    return ((pixels / 255 - mean) / std).permute(0, 3, 1, 2)
