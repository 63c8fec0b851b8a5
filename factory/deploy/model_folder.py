"""A version's files in a folder, as `factory serve --model-folder` reads them."""

from pathlib import Path

import mlflow
import mlflow.artifacts

from factory.deploy.protocol import Release
from factory.models import registry
from factory.models.tracking import Tracking
from factory.serving.folder import ReleaseNote


def fill_model_folder(release: Release, folder: Path, tracking: Tracking) -> None:
    """Fetch a version's files from the registry, and note beside them what it is.

    Args:
        release: The version.
        folder: Where to; it is made, and should be empty.
        tracking: The MLflow server.

    Raises:
        TrackingError: The MLflow server does not answer, or has not got the files.
        UnknownModelError: There is no such version.
    """
    version = registry.version(release.model, release.version, tracking=tracking)
    folder.mkdir(parents=True, exist_ok=True)
    # What downloads knows no client, only the process's one server.
    mlflow.set_tracking_uri(tracking.uri)
    with tracking.asked():
        mlflow.artifacts.download_artifacts(release.uri, dst_path=str(folder))
    ReleaseNote(
        model=release.model,
        version=release.version,
        task=release.task,
        estimator=release.estimator,
        packages=release.packages,
        sha256=release.sha256,
        registered_at=version.registered_at,
    ).write(folder)
