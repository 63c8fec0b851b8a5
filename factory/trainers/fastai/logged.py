"""Models of fastai in MLflow: a pyfunc of our own loader, weights and a description, no pickle."""

import importlib.metadata
import tempfile
from pathlib import Path

import mlflow.pyfunc
import pandas as pd
from mlflow.models import Model, infer_signature

from factory.base.errors import TerminalError
from factory.trainers.fastai.description import VisionDescription
from factory.trainers.fastai.learned import Learned, rebuilt
from factory.trainers.fastai.stored import read_folder, write_folder
from factory.trainers.trainer import LoggedModel

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


def log_learned(learned: Learned, logged: LoggedModel) -> str:
    """Log a network to MLflow's current server, with signature and input example.

    Returns:
        The model's MLflow URI.
    """
    sees = isinstance(learned.description, VisionDescription)
    # Plain bytes: MLflow knows no other column of images.
    features = logged.features.head(_EXAMPLE_IMAGES) if sees else logged.features
    rows = features.astype(object) if sees else features
    predicted = pd.Series(learned.predict(features).values)
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / _DATA
        write_folder(learned.description, learned.network.state_dict(), data)
        model = Model.log(
            artifact_path=None,
            name="model",
            flavor=mlflow.pyfunc,
            run_id=logged.run_id,
            loader_module=LOADER,
            data_path=str(data),
            signature=infer_signature(rows, predicted),
            input_example=rows.head(_EXAMPLE_ROWS),
            params=dict(logged.params),
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
