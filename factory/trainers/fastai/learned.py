"""A network that has learned: what it needs to be asked, and what its answers mean."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch  # noqa: TID253 - whoever imports this module wants torch
from numpy.typing import NDArray

from factory.base.errors import TerminalError
from factory.trainers.fastai import tabular_network, vision_network
from factory.trainers.fastai.description import (
    Classes,
    Description,
    VisionDescription,
)
from factory.trainers.fastai.stored import Tensors
from factory.trainers.fastai.threads import device
from factory.trainers.trainer import Predictions


@dataclass(frozen=True)
class Learned:
    """A network with what describes it."""

    description: Description
    network: torch.nn.Module

    def predict(self, features: pd.DataFrame) -> Predictions:
        """What the network says about rows.

        Raises:
            TerminalError: A feature is missing, or an image cannot be decoded.
        """
        outputs = self._outputs(features)
        target = self.description.target
        if not isinstance(target, Classes):
            return Predictions(outputs.reshape(len(features)) * target.deviation + target.mean)
        shifted = np.exp(outputs - outputs.max(axis=1, keepdims=True, initial=-np.inf))
        probabilities = shifted / shifted.sum(axis=1, keepdims=True)
        classes = target.array()
        return Predictions(classes[probabilities.argmax(axis=1)], probabilities, classes)

    def _outputs(self, features: pd.DataFrame) -> NDArray[np.float64]:
        """Rows x outputs."""
        where = device()
        network = self.network.to(where).eval()
        parts = [np.empty((0, self.description.target.outputs))]
        with torch.inference_mode():
            for inputs in self._batches(features):
                outputs = network(*(tensor.to(where) for tensor in inputs))
                parts.append(outputs.cpu().numpy().astype(np.float64))
        return np.concatenate(parts)

    def _batches(self, features: pd.DataFrame) -> Iterator[tuple[torch.Tensor, ...]]:
        if isinstance(self.description, VisionDescription):
            return vision_network.batches(self.description, features)
        return tabular_network.batches(self.description, features)


def rebuilt(description: Description, tensors: Tensors) -> Learned:
    """The network that a stored model describes, with its weights.

    Raises:
        TerminalError: The weights are not of the network that is described.
    """
    network: Any
    if isinstance(description, VisionDescription):
        network = vision_network.build(description)[0]
    else:
        network = tabular_network.build(description)
    try:
        network.load_state_dict(tensors, strict=True)
    except RuntimeError as error:
        raise TerminalError(
            f"the model's weights are not of the network that it describes: {error}. Compare the "
            "versions of packages with those in its requirements.txt, or train the model again"
        ) from error
    return Learned(description, network.eval())
