"""Training a version again from what is recorded of it, and comparing what both say of the test rows."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from factory.base.digests import sha256
from factory.base.errors import TerminalError
from factory.base.section import qualify
from factory.base.values import Result
from factory.lake.table import Lake
from factory.models.configuration import recorded_section
from factory.models.files import artifact
from factory.models.predictor import load_predictor
from factory.models.registry import Version
from factory.models.replay import changed_packages
from factory.models.tracking import Tracking
from factory.models.training_run import TRIAL_INDEX
from factory.trainers.trainer import Predictions
from factory.training.entity_rows import own_rows
from factory.training.guard.known_rows import ARTIFACTS, FILE, TrainingRows
from factory.training.model import Model
from factory.training.refit import fit_again
from factory.training.rows import model_images, model_rows
from factory.training.search.strategy import Trial
from factory.training.split import read_part, split, training_rows_folder
from factory.training.sweep import score_of
from factory.training.trial import copy_trial_files, fit, load_fitted

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

_SHOWN = 10
_MOST_TRIALS = 1_024


class DifferentRow(Result):
    """A test row of which the two say something else."""

    row: int
    """Its place among the test rows, from 0."""
    then: str
    now: str


class Reproduction(Result):
    """A version beside the one that was trained again from the same."""

    model: str
    """The full name, `team.model`."""
    version: int
    trial: str
    rows: int
    """The test rows that were compared."""
    different: int
    """Of how many of them the two do not say the same bytes."""
    shown: tuple[DifferentRow, ...]
    """The first ones of these."""
    sha256_then: str
    sha256_now: str
    """Digests of all that the two say of the test rows, probabilities too."""
    same_training_rows: bool | None
    """Whether both learned from the same rows; None where their hashes were not kept."""
    packages: str
    """The packages that have another version here, in words; empty where none has."""

    @property
    def is_equal(self) -> bool:
        """Whether the two say the same, byte for byte."""
        return self.sha256_then == self.sha256_now


def reproduce(
    version: Version, *, lake: Lake, tracking: Tracking, project: Path, workspace: Path
) -> Reproduction:
    """Train a version again by the recorded section, trial and snapshots; nothing is registered.

    Args:
        version: Which one.
        lake: Where the snapshots lie.
        tracking: The MLflow server.
        project: The folder of the project's files that parameters may name.
        workspace: A scratch folder.

    Raises:
        TerminalError: What it was trained by was not kept, or the trial is not among those of the section.
        NoSnapshotError: A snapshot is gone.
        TrackingError: The MLflow server does not answer.
    """
    model, trial = _recorded(version, tracking)
    team = version.model.partition(".")[0]
    reads = [qualify(reference, team) for reference in model.train_on.datasets]
    copy_trial_files(model, project, workspace)
    rows = model_rows(
        reads,
        model.transforms,
        workspace=workspace,
        lake=lake,
        versions=version.record.snapshots,
    )
    images = model_images(reads, workspace=workspace, lake=lake)
    record = version.record
    if record.entity is None or record.entity_column is None:
        divided = split(rows, model, workspace, images=images)
    else:
        model = model.for_entity
        divided = split(own_rows(rows, record.entity_column, record.entity), model, workspace)
    fitted = fit(trial, divided, model, workspace)
    if model.refits:
        fitted = fit_again(fitted, divided, model, workspace)
    features, _ = read_part(workspace, "test")
    then = load_predictor(version.record, tracking=tracking).predict(features)
    trainer, again = model.trainer(trial.estimator), load_fitted(fitted, model, workspace)
    now = trainer.predict(again, features)
    if model.learning_task.has_numbers:
        # Those of the version may be those of the one before it.
        trainer.renumber(again, model.learning_task.renumbering(then.values, now.values))
        now = trainer.predict(again, features)
    different = _different(then, now)
    example = version.record.example
    return Reproduction(
        model=version.model,
        version=version.number,
        trial=trial.name,
        rows=len(features),
        different=len(different),
        shown=tuple(_row(then, now, int(row)) for row in different[:_SHOWN]),
        sha256_then=_digest(then),
        sha256_now=_digest(now),
        same_training_rows=_same_training_rows(version, workspace, tracking),
        packages=changed_packages(example.packages) if example else "",
    )


def _recorded(version: Version, tracking: Tracking) -> tuple[Model, Trial]:
    """The section and the trial that a version was trained by."""
    what = f"{version.model} version {version.number}"
    section = recorded_section(version.record.mlflow_run_id, tracking)
    if section is None:
        raise TerminalError(
            f"{what} cannot be trained again: its section was not kept, as it is of an earlier release. "
            "Versions that are trained from now on can"
        )
    model = Model.model_validate(section)
    name = version.tags.get("trial", "")
    for trial in _all_trials(model, version, tracking):
        if trial.name == name:
            return model, trial
    raise TerminalError(
        f"{what} cannot be trained again: its section makes no trial {name!r} any more. Install the release of "
        "the factory that trained it"
    )


def _all_trials(model: Model, version: Version, tracking: Tracking) -> Iterator[Trial]:
    """The trials of the sweep, of later waves by the scores that MLflow has of those before."""
    trials = list(model.expand())
    yield from trials
    if model.search.wave_count == 1:
        return
    scores = _scores(model, version, tracking)
    for wave in range(2, model.search.wave_count + 1):
        more = model.expand_wave(wave, [(trial, scores.get(trial.index)) for trial in trials])
        yield from more
        trials += more


def _scores(model: Model, version: Version, tracking: Tracking) -> dict[int, float]:
    """What the trials have come to, by their places."""
    parent = version.record.mlflow_run_id
    with tracking.asked() as client:
        experiment = client.get_run(parent).info.experiment_id
    tags = {MLFLOW_PARENT_RUN_ID: parent, "role": "trial"}
    runs = tracking.find_runs(
        experiment, tags, most=_MOST_TRIALS, condition="attributes.status = 'FINISHED'"
    )
    return {int(run.data.tags[TRIAL_INDEX]): score_of(run.data.metrics, model) for run in runs}


def _different(then: Predictions, now: Predictions) -> "NDArray[np.intp]":
    """The rows of which the two do not say the same bytes."""
    import numpy as np

    differs = (_bytes(then.values) != _bytes(now.values)).reshape(len(then.values), -1).any(axis=1)
    if then.probabilities is not None and now.probabilities is not None:
        if then.probabilities.shape != now.probabilities.shape:
            return np.arange(len(differs))
        differs |= (
            (_bytes(then.probabilities) != _bytes(now.probabilities))
            .reshape(len(differs), -1)
            .any(axis=1)
        )
    for name in then.columns.keys() & now.columns.keys():
        differs |= _bytes(then.columns[name]) != _bytes(now.columns[name])
    return np.flatnonzero(differs)


def _bytes(values: "NDArray[Any]") -> "NDArray[Any]":
    """Values such that equal ones have equal bytes: of numbers their bits, so that NaN equals itself."""
    import numpy as np

    if values.dtype.kind == "f":
        return np.ascontiguousarray(values).view(f"u{values.dtype.itemsize}")
    return values


def _digest(said: Predictions) -> str:
    parts = [said.values] + ([] if said.probabilities is None else [said.probabilities])
    parts += [said.columns[name] for name in sorted(said.columns)]
    return sha256(
        b"".join(
            repr(one.tolist()).encode() if one.dtype.kind in "OUS" else one.tobytes()
            for one in parts
        )
    )


def _row(then: Predictions, now: Predictions, row: int) -> DifferentRow:
    return DifferentRow(row=row, then=_said(then, row), now=_said(now, row))


def _said(predictions: Predictions, row: int) -> str:
    value = predictions.values[row]
    if predictions.probabilities is None:
        return repr(value.tolist() if hasattr(value, "tolist") else value)
    shares = ", ".join(f"{share:.17g}" for share in predictions.probabilities[row])
    return f"{value} ({shares})"


def _same_training_rows(version: Version, workspace: Path, tracking: Tracking) -> bool | None:
    import numpy as np

    with artifact(tracking, version.record.mlflow_run_id, f"{ARTIFACTS}/{FILE}") as file:
        if file is None:
            return None
        try:
            then = TrainingRows.load(file)
        except ValueError as error:
            logger.warning("Nobody knows which rows it was trained on: %s", error)
            return None
    now = TrainingRows.load(training_rows_folder(workspace) / FILE)
    return then.columns == now.columns and bool(np.array_equal(then.hashes, now.hashes))
