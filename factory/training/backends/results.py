"""What a job leaves in its model folder: the model's file, and `fit.json` that describes it."""

import json
import shutil
from importlib.metadata import version
from pathlib import Path

from pydantic import ValidationError

from factory.base.digests import sha256_of_file
from factory.base.errors import TerminalError
from factory.base.files import copy_file, write_json
from factory.training.search.trial import Trial
from factory.training.trial import Fit

FIT = "fit.json"
_PACKAGE = "ml-dag-factory"
_AGAIN = "clear the task to train it again"


class WrongResultError(TerminalError):
    """What a job left is not what its trial should have become."""


def leave(fit: Fit, workspace: Path, folder: Path) -> None:
    """Put a trained model into a job's model folder; `fit.json` last, as its end."""
    file = workspace / fit.model_file
    shutil.move(file, folder / file.name)
    write_json(folder / FIT, {"factory": version(_PACKAGE), "fit": fit.as_json()})


def take(name: str, folder: Path, trial: Trial, workspace: Path) -> Fit:
    """Bring a job's model into the workspace, as if it had been trained there.

    Args:
        name: The job's.
        folder: What it left.
        trial: What it was to train.
        workspace: The run's scratch folder.

    Raises:
        WrongResultError: It is not whole, of another trial, or of another version of the factory.
    """
    fit = _read(name, folder)
    if fit.trial != trial:
        raise WrongResultError(
            f"training job {name} left the model of the trial {fit.trial.name!r}, not of "
            f"{trial.name!r}: {_AGAIN}"
        )
    file = folder / Path(fit.model_file).name
    if not file.is_file() or sha256_of_file(file) != fit.sha256:
        raise WrongResultError(
            f"the model that training job {name} left is not the one that it trained (its SHA-256 "
            f"differs from that in {FIT}): {_AGAIN}"
        )
    target = workspace / fit.model_file
    copy_file(file, target)
    return fit


def _read(name: str, folder: Path) -> Fit:
    try:
        content = json.loads((folder / FIT).read_bytes())
    except (OSError, ValueError) as error:
        raise WrongResultError(
            f"training job {name} left no readable {FIT} ({error}): does its image run "
            "`factory-train`?"
        ) from error
    try:
        return Fit.from_json(content["fit"])
    except (KeyError, TypeError, ValidationError) as error:
        theirs = content.get("factory") if isinstance(content, dict) else None
        raise WrongResultError(
            f"training job {name} describes its model in another way than this version of the "
            f"factory ({version(_PACKAGE)}; the job's: {theirs}): build the training image anew"
        ) from error
