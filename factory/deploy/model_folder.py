"""A version's files in a folder, as `factory serve --model-folder` reads them."""

from pathlib import Path

import mlflow
import mlflow.artifacts

from factory.models.record import ModelRecord
from factory.models.tracking import Tracking


def fill_model_folder(release: ModelRecord, folder: Path, tracking: Tracking) -> None:
    """Fetch a version's files from the registry, and write its record beside them.

    Args:
        release: The version.
        folder: Where to; it is made, and should be empty.
        tracking: The MLflow server.

    Raises:
        TrackingError: The MLflow server does not answer, or has not got the files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # What downloads knows no client, only the process's one server.
    mlflow.set_tracking_uri(tracking.uri)
    with tracking.asked():
        mlflow.artifacts.download_artifacts(release.uri, dst_path=str(folder))
    release.write(folder)
