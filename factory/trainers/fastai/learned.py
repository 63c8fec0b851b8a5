"""A network that has learned: how it is asked, and how MLflow keeps it.

In MLflow it is a pyfunc with a loader of our own, weights and a description: no pickle. Fitting needs
no MLflow, so it is imported where models are logged and read back.
"""

import importlib.metadata
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch  # noqa: TID253 - whoever imports this module wants torch
from numpy.typing import NDArray

from factory.base.errors import TerminalError
from factory.base.files import TEMPORARY
from factory.trainers.fastai import tabular, vision
from factory.trainers.fastai.learning import as_on_a_cpu, device
from factory.trainers.fastai.stored import (
    Classes,
    Description,
    TensorsByName,
    VisionDescription,
    read_folder,
    write_folder,
)
from factory.trainers.trainer import LoggedModel, Predictions

LOADER = "factory.trainers.fastai.pyfunc"
_DATA = "learner"
_DATA_FOLDER = "data"
"""What MLflow puts a model's own files into."""

_EXAMPLE_ROWS = 5
_EXAMPLE_IMAGES = 1
_REQUIREMENTS = (
    "fastai",
    "ml-dag-factory",
    "numpy",
    "pandas",
    "pillow",
    "safetensors",
    "timm",
    "torch",
    "torchvision",
)


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
        with torch.inference_mode(), as_on_a_cpu():
            for inputs in self._batches(features):
                outputs = network(*(tensor.to(where) for tensor in inputs))
                parts.append(outputs.cpu().numpy().astype(np.float64))
        return np.concatenate(parts)

    def _batches(self, features: pd.DataFrame) -> Iterator[tuple[torch.Tensor, ...]]:
        if isinstance(self.description, VisionDescription):
            return vision.batches(self.description, features)
        return tabular.batches(self.description, features)


def rebuilt(description: Description, tensors: TensorsByName) -> Learned:
    """The network that a stored model describes, with its weights.

    Raises:
        TerminalError: The weights are not of the network that is described.
    """
    network: Any
    if isinstance(description, VisionDescription):
        network = vision.build(description)[0]
    else:
        network = tabular.build(description)
    try:
        network.load_state_dict(tensors, strict=True)
    except RuntimeError as error:
        raise TerminalError(
            f"the model's weights are not of the network that it describes: {error}. Compare the "
            "versions of packages with those in its requirements.txt, or train the model again"
        ) from error
    return Learned(description, network.eval())


def log_learned(learned: Learned, logged: LoggedModel) -> str:
    """Log a network to MLflow's current server, with signature and input example.

    Returns:
        The model's MLflow URI.
    """
    import mlflow.pyfunc
    from mlflow.models import Model, infer_signature

    has_images = isinstance(learned.description, VisionDescription)
    # Plain bytes: MLflow knows no other column of images.
    features = logged.features.head(_EXAMPLE_IMAGES) if has_images else logged.features
    rows = features.astype(object) if has_images else features
    predicted = pd.Series(learned.predict(features).values)
    with tempfile.TemporaryDirectory(prefix=TEMPORARY) as folder:
        data = Path(folder) / _DATA
        write_folder(learned.description, learned.network.state_dict(), data)
        model = Model.log(
            artifact_path=None,
            flavor=mlflow.pyfunc,
            model_id=logged.model_id,
            loader_module=LOADER,
            data_path=str(data),
            signature=infer_signature(rows, predicted),
            input_example=rows.head(_EXAMPLE_ROWS),
            # Named here, because MLflow finds them by loading the model in another process.
            pip_requirements=_requirements(),
        )
    return str(model.model_uri)


def load_learned(folder: Path) -> Learned:
    """A network that `log_learned` logged; no code from its files is run, whatever they ask for.

    Args:
        folder: A copy of its files.

    Raises:
        TerminalError: It is stored in another form.
    """
    import mlflow.pyfunc
    from mlflow.models import Model

    flavor = Model.load(folder).flavors.get(mlflow.pyfunc.FLAVOR_NAME, {})
    loader = flavor.get("loader_module", "no pyfunc")
    if loader != LOADER:
        raise TerminalError(
            f"the model is stored for the loader {loader}, and reading that may run any code: only "
            f"{LOADER} is used; train the model again"
        )
    return rebuilt(*read_folder(folder / "data" / _DATA))


def _requirements() -> list[str]:
    """The exact versions that are installed here, without what names a build (`+cu132`)."""
    return [
        f"{name}=={importlib.metadata.version(name).partition('+')[0]}" for name in _REQUIREMENTS
    ]
