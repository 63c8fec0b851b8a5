"""The files of a stored model, and the digest that tells whether somebody changed one of them."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from factory.base.digests import sha256_of_folder
from factory.base.errors import TerminalError
from factory.base.files import TEMPORARY
from factory.models.record import RELEASE_FILE

if TYPE_CHECKING:
    import pandas as pd

    from factory.models.tracking import Tracking

# MLflow writes the first into every copy of a registered model, and we the other.
_NOT_THE_MODEL = frozenset({"registered_model_meta", RELEASE_FILE})


class TamperedError(TerminalError):
    """A model's files are not those that were registered."""


def digest(folder: Path) -> str:
    """The SHA-256 of all of a model's files: their paths below the folder, and their contents."""
    return sha256_of_folder(folder, without=_NOT_THE_MODEL)


def megabytes(folder: Path) -> float:
    """The size of all of a model's files, in units of a million bytes."""
    files = (file for file in folder.rglob("*") if file.is_file())
    return sum(file.stat().st_size for file in files if file.name not in _NOT_THE_MODEL) / 1e6


def verify(folder: Path, expected: str, what: str) -> None:
    """Refuse files that are not those of which the digest was taken.

    Args:
        folder: The model's files.
        expected: What `digest` said of them.
        what: The model, as errors name it.

    Raises:
        TamperedError: A file was changed, added or taken away.
    """
    found = digest(folder)
    if found != expected:
        raise TamperedError(
            f"{what}: its files hash to {found}, and {expected} was registered: somebody changed "
            "them, and they are not read. Train the model again, or go back to another version "
            "with `factory rollback`"
        )


@contextmanager
def downloaded(uri: str, expected: str | None = None) -> Iterator[Path]:
    """A model's files: a copy from MLflow's current server, gone afterwards, or a folder as it is.

    Args:
        uri: The model's MLflow URI, or the folder's path.
        expected: Their digest; None where there is none yet.

    Raises:
        TamperedError: They hash otherwise.
    """
    # Late: importing it takes a second.
    import mlflow.artifacts

    with tempfile.TemporaryDirectory(prefix=TEMPORARY) as folder:
        local = Path(uri)
        if not local.is_dir():
            local = Path(mlflow.artifacts.download_artifacts(uri, dst_path=folder))
        if expected is not None:
            verify(local, expected, uri)
        yield local


@contextmanager
def artifact(tracking: "Tracking", run_id: str, path: str) -> Iterator[Path | None]:
    """A copy of a file among a run's artifacts, gone afterwards; None if the run has no such file.

    Args:
        tracking: The MLflow server.
        run_id: MLflow's id of the run.
        path: The file below the run's artifacts, in a folder.

    Raises:
        TrackingError: The MLflow server does not answer.
    """
    with tempfile.TemporaryDirectory(prefix=TEMPORARY) as folder:
        with tracking.asked() as client:
            there = client.list_artifacts(run_id, path.rpartition("/")[0])
            found = any(one.path == path for one in there)
            local = client.download_artifacts(run_id, path, folder) if found else None
        yield Path(local) if local else None


def read_example(folder: Path) -> "pd.DataFrame | None":
    """The input example among a model's files: rows as it takes them; None if there are none."""
    import mlflow.models
    import pandas as pd

    try:
        found = mlflow.models.Model.load(folder).load_input_example(str(folder))
    except FileNotFoundError:
        return None
    return found if isinstance(found, pd.DataFrame) and not found.empty else None
