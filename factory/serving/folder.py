"""A model out of a folder: baked into a container image, or unpacked by SageMaker. There is no registry to ask.

The folder is what MLflow stores of a version, and beside it its record.
"""

from pathlib import Path

from factory.models.predictor import read_predictor
from factory.models.record import ModelRecord
from factory.models.registry import Version
from factory.serving.limits import ServingLimits
from factory.serving.loading import LoadedVersion, warmed_up
from factory.serving.served_models import ServedModels


def load_folder(folder: Path, settings: ServingLimits) -> LoadedVersion:
    """The version in a folder, once it has predicted its own input example.

    Raises:
        TerminalError: It is damaged, has been tampered with, or is none that can be served.
    """
    record = ModelRecord.read(folder)
    predictor = read_predictor(record, str(folder), limit_threads=False)
    return warmed_up(Version(record, aliases=(), tags={}), predictor, settings)


def models_of(served: LoadedVersion) -> ServedModels:
    """A service's models, of which there is one."""
    models = ServedModels()
    version = served.version
    models.update(version.model, served=served, champion=version.number)
    return models
