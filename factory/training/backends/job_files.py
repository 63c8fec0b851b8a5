"""What a job is told and what it leaves.

Told: `settings.json`, the same for all jobs of a run, and its hyperparameters. Left: the model's file,
and `fit.json` that describes it.
"""

import json
import shutil
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from factory.base.digests import sha256, sha256_of_file
from factory.base.errors import TerminalError
from factory.base.files import copy_file, write_json
from factory.base.values import Result
from factory.trainers.fitting import RESAMPLE
from factory.trainers.step_names import PREFIX
from factory.training.about_rows import about_file
from factory.training.backends.job_layout import FIT, SETTINGS, SPLIT, JobLayout
from factory.training.division import Part
from factory.training.folds import folds_file
from factory.training.model import Model
from factory.training.search.strategy import Trial
from factory.training.split import DividedRows
from factory.training.trial import Fit, trial_files
from factory.training.weights import weights_file

_PARTS: tuple[Part, ...] = ("train", "validation")
"""What a job may see: never the test rows."""

_LONGEST_VALUE = 2500
"""SageMaker's limit for one hyperparameter."""
_PACKAGE = "ml-dag-factory"
_AGAIN = "clear the task to train it again"


class JobSettings(Result):
    """What all jobs of a run have in common."""

    model: dict[str, object]
    """The model's section, without what does not change what is trained."""
    split: DividedRows
    processors: Literal["own", "shared"]
    """Whether a job has its machine to itself, or shares it with the others of its sweep."""

    def section(self) -> Model:
        """The model's section, as the job is to take it."""
        model = Model.model_validate(self.model)
        if self.processors == "shared":
            return model
        alone = model.search.model_copy(update={"parallel_trials": 1})
        return model.model_copy(update={"search": alone})


def write_settings(settings: JobSettings, workspace: Path) -> Path:
    """Write `settings.json` into the workspace, in the folder of its channel."""
    file = workspace / "jobs" / SETTINGS / "settings.json"
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_json(file, settings.as_json())
    return file


def read_settings(layout: JobLayout) -> JobSettings:
    """The settings that a job was given.

    Raises:
        TerminalError: There are none.
    """
    file = layout.channel(SETTINGS) / "settings.json"
    try:
        return JobSettings.from_json(json.loads(file.read_bytes()))
    except (OSError, ValueError) as error:
        raise TerminalError(
            f"the channel `{SETTINGS}` has no readable settings.json: {error}"
        ) from error


def given_files(workspace: Path) -> tuple[Path, ...]:
    """The files of a workspace that a run's jobs may see: rows, and what parameters name."""
    parts = (workspace / SPLIT / f"{part}.arrow" for part in _PARTS)
    weights = (weights_file(workspace, part) for part in _PARTS)
    about = (about_file(workspace, part) for part in _PARTS)
    rows = (*parts, *weights, *about, folds_file(workspace))
    named = trial_files(workspace).rglob("*")
    # With folds there is no validation part, without none of them, and weights and what else is known of rows only where there is some.
    return (
        *(file for file in rows if file.is_file()),
        *sorted(file for file in named if file.is_file()),
    )


def data_digest(workspace: Path, settings: Path) -> str:
    """The SHA-256 of everything that a run's jobs are given, but for what tells trials apart."""
    digests = map(sha256_of_file, (settings, *given_files(workspace)))
    return sha256(b"".join(map(bytes.fromhex, digests)))


def hyperparameters(trial: Trial) -> dict[str, str]:
    """A trial as SageMaker's hyperparameters, which are texts.

    Raises:
        TerminalError: One is too long for it.
    """
    described = trial.as_json()
    texts = {
        "index": str(trial.index),
        "name": trial.name,
        "estimator": trial.estimator,
        "params": json.dumps(described["params"]),
        # One for each transformer, since a text must not be long.
        **{f"{PREFIX}{name}": json.dumps(one) for name, one in described["preprocessing"].items()},
        **({} if trial.resample is None else {RESAMPLE: json.dumps(described["resample"])}),
    }
    for name, text in texts.items():
        if len(text) > _LONGEST_VALUE:
            raise TerminalError(
                f"trial {trial.index} ({trial.name}): its {name} are {len(text):,} characters as "
                f"JSON, and a training job takes {_LONGEST_VALUE:,}: write fewer or shorter ones"
            )
    return texts


def read_trial(given: Mapping[str, str]) -> Trial:
    """The trial that `hyperparameters` wrote.

    Raises:
        TerminalError: It did not write these.
    """
    try:
        return Trial.from_json(
            {
                "index": int(given["index"]),
                "name": given["name"],
                "estimator": given["estimator"],
                "params": json.loads(given["params"]),
                "preprocessing": {
                    name.removeprefix(PREFIX): json.loads(text)
                    for name, text in given.items()
                    if name.startswith(PREFIX)
                },
                "resample": json.loads(given.get(RESAMPLE, "null")),
            }
        )
    except (KeyError, ValueError) as error:
        raise TerminalError(f"the hyperparameters describe no trial: {error!r}") from error


class WrongResultError(TerminalError):
    """What a job left is not what its trial should have become."""


def leave(fit: Fit, workspace: Path, folder: Path) -> None:
    """Put a trained model into a job's model folder; `fit.json` last, as its end."""
    for name in _files_of(fit):
        shutil.move(workspace / name, folder / Path(name).name)
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
    for below, digest in _files_of(fit).items():
        file = folder / Path(below).name
        if not file.is_file() or sha256_of_file(file) != digest:
            raise WrongResultError(
                f"the model that training job {name} left is not the one that it trained (the SHA-256 of "
                f"{file.name} differs from that in {FIT}): {_AGAIN}"
            )
    for below in _files_of(fit):
        copy_file(folder / Path(below).name, workspace / below)
    return fit


def _files_of(fit: Fit) -> dict[str, str]:
    """The files of a trained model, below the workspace, each with its SHA-256."""
    files = {fit.model_file: fit.sha256}
    if fit.folds is not None:
        files[fit.folds.predictions_file] = fit.folds.sha256
    return files


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
