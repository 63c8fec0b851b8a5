"""Put the winner into MLflow's model registry, as the challenger."""

import logging
from collections.abc import Mapping
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd

from factory.base.errors import TerminalError
from factory.base.values import Result
from factory.models import logged_model, registry
from factory.models.costs import FIT, SIZE
from factory.models.creation import created_once
from factory.models.files import digest, downloaded, megabytes, read_example
from factory.models.record import ModelFacts, ModelRecord
from factory.models.registry import CHALLENGER
from factory.models.replay import record_example, rows_apart
from factory.models.signing import signed
from factory.models.tracking import Tracking
from factory.models.training_leftovers import delete_duplicate_versions
from factory.models.training_run import ENTITY, TrainingRun
from factory.trainers.dispatch import trainer_name
from factory.trainers.trainer import LoggedModel
from factory.training.final_test import FinalTest, load_winner
from factory.training.forecasting.rows import read_form
from factory.training.model import Model
from factory.training.search.strategy import as_text
from factory.training.split import read_learned, read_part
from factory.training.sweep import Selection
from factory.training.trial import Sweep

logger = logging.getLogger(__name__)

_SIGNATURE_ROWS = 1000
_VERIFIED_ROWS = 1000
_VERIFIED_IMAGES = 100


class Registration(Result):
    """A version of a registered model."""

    record: ModelRecord
    alias: str | None
    """`challenger`, or None when a newer version is that already, or this one is in production."""
    is_new: bool
    """False when an earlier try of this run had registered it."""


def register(
    selection: Selection,
    test: FinalTest,
    model: Model,
    workspace: Path,
    *,
    tracking: Tracking,
    run: TrainingRun,
    sweep: Sweep,
) -> Registration:
    """Log the winner with signature and example, verify it, register it, finish the parent run.

    The model is read back from MLflow and must predict what the fitted one does before it becomes
    a version. A retry finds the version that an earlier try registered.

    Args:
        selection: The winner.
        test: Its metrics on the test rows.
        model: The model's section of the team file.
        workspace: The run's scratch folder.
        tracking: The MLflow server.
        run: Which training run this is.
        sweep: Where it is tracked.

    Raises:
        TerminalError: The model cannot be stored safely, or predicts otherwise once read back.
        TrackingError: The MLflow server does not answer.
    """
    metrics = {
        **{f"validation_{name}": value for name, value in selection.winner.metrics.items()},
        **{f"test_{name}": value for name, value in test.metrics.items()},
    }
    trial = selection.winner.fit.trial
    origin = {**run.identity(), **run.provenance(), "trial": trial.name}
    version = _find_version(tracking, run.model, sweep.parent_run_id, origin)
    is_new = version is None
    if version is None:
        model_id = logged_model.begin(
            tracking,
            sweep.experiment_id,
            sweep.parent_run_id,
            model=run.model,
            params={name: as_text(value) for name, value in trial.all_params.items()},
        )
        facts = ModelFacts(
            task=model.learning_task.name,
            targets=model.targets_together,
            estimator=trial.estimator,
            trainer=trainer_name(trial.estimator),
            packages=model.packages,
            config_hash=run.config_hash,
            snapshots=dict(run.snapshots),
            metrics=metrics,
            interval=test.interval,
            forecast=read_form(workspace),
            test_rows=test.rows,
            entity_column=model.entities.column if model.entities else None,
            entity=run.entity,
        )
        facts, size = _log_verified(
            selection, model, workspace, model_id, facts, run.model, tracking
        )
        logged_model.link(
            tracking,
            model_id,
            sweep.parent_run_id,
            metrics={**metrics, SIZE: size, FIT: selection.winner.fit.fit_seconds},
            at=test.measured_at,
        )
        tags = {
            **run.tags(),
            **origin,
            "trial_run": selection.winner.mlflow_run_id,
            **facts.as_tags(),
        }
        version = created_once(
            lambda: registry.create_version(
                run.model,
                model_id,
                sweep.parent_run_id,
                tags=tags,
                about=model.description,
                description=_description(selection, test, run, model),
                tracking=tracking,
                of_model={} if run.entity is None else {ENTITY: run.entity},
            ),
            lambda: _find_version(tracking, run.model, sweep.parent_run_id, origin),
            asked=tracking.asked,
        )
    delete_duplicate_versions(tracking, run.model, keep=version.number)
    alias = _challenge(tracking, version.record)
    tracking.log(sweep.parent_run_id, tags={"registered_version": str(version.number)})
    tracking.finish(sweep.parent_run_id)
    logger.info("%s version %d is registered", version.model, version.number)
    return Registration(record=version.record, alias=alias, is_new=is_new)


def _find_version(
    tracking: Tracking, name: str, run_id: str, origin: Mapping[str, str]
) -> registry.Version | None:
    """The version that this very run registered from the same trial, configuration and data."""
    with tracking.asked() as client:
        versions = client.search_model_versions(f"name = '{name}' and run_id = '{run_id}'")
        same = [one for one in versions if origin.items() <= one.tags.items()]
        newest = max(same, key=lambda one: int(one.version), default=None)
        return newest and registry.as_version(client, newest)


def _log_verified(
    selection: Selection,
    model: Model,
    workspace: Path,
    model_id: str,
    facts: ModelFacts,
    model_name: str,
    tracking: Tracking,
) -> tuple[ModelFacts, float]:
    """Store the model, read it back, and add to the facts what its files say; and their megabytes."""
    fit = selection.winner.fit
    trainer = model.trainer(fit.trial.estimator)
    fitted = load_winner(selection, model, workspace, model_name, tracking)
    logged = LoggedModel(model_id, _signature_rows(workspace, model), facts.packages)
    # The calls below know no client, only the process's one server.
    mlflow.set_tracking_uri(tracking.uri)
    with tracking.asked():
        uri = trainer.log_model(fitted, logged)
    rows, _ = read_part(workspace, "test", rows=_verified_rows(model))
    here = trainer.predict(fitted, rows).values
    with tracking.asked(), downloaded(uri) as folder:
        facts = facts.model_copy(update={"sha256": digest(folder)}).with_signature(
            mlflow.models.Model.load(folder).signature
        )
        read_back = trainer.load_logged(folder, facts.packages)
        example = record_example(folder, trainer, read_back, read_example(folder))
        facts = facts.model_copy(update={"example": example})
        size = megabytes(folder)
    there = trainer.predict(read_back, rows).values
    agree = np.array_equal(here, there) if here.dtype.kind != "f" else np.allclose(here, there)
    if not agree:
        logged_model.refuse(tracking, model_id)
        raise TerminalError(
            f"trial {fit.trial.index} ({fit.trial.name}): the model read back from MLflow ({uri}) "
            f"predicts otherwise for {rows_apart(here != there)} of {len(rows)} rows; it is not "
            "registered"
        )
    return signed(facts, model_name), size


def _description(selection: Selection, test: FinalTest, run: TrainingRun, model: Model) -> str:
    """What a person wants to know of a version first, as Markdown."""
    trial, metric = selection.winner.fit.trial, selection.metric
    scores = [f"{selection.score:.4g} {model.measured_on}"]
    if metric in test.metrics:
        scores.append(f"{test.metrics[metric]:.4g} on the test rows")
    data = [f"{name} version {version}" for name, version in sorted(run.snapshots.items())]
    rank = (
        "the best"
        if model.search.choose == "best"
        else "the first within one standard error of the best"
    )
    lines = [
        f"**{trial.name}**, {rank} of {selection.trials} by {metric}: {', '.join(scores)}.",
        *([f"Trained on {', '.join(data)}."] if data else []),
        "Trained once more on training and validation rows before the test."
        if model.refits
        else "",
        f"By [a run of {run.dag_id}]({run.page}): {run.trigger}." if run.page else "",
    ]
    return "\n\n".join(filter(None, lines))


def _verified_rows(model: Model) -> int:
    return _VERIFIED_ROWS if model.image_column is None else _VERIFIED_IMAGES


def _signature_rows(workspace: Path, model: Model) -> pd.DataFrame:
    """Some training rows, among them one with a null for every feature that has any.

    The signature, which says what may be missing when the model is asked, is read off these rows.
    """
    features, _ = read_learned(workspace, model)
    first = features.head(_SIGNATURE_ROWS)
    late = [
        features[features[name].isna()].head(1)
        for name in features
        if features[name].isna().any() and not first[name].isna().any()
    ]
    return pd.concat([first, *late])


def _challenge(tracking: Tracking, record: ModelRecord) -> str | None:
    """Make a version the challenger unless a newer one is, or it is in production already.

    Returns:
        What it became.
    """
    name, number = record.model, record.version
    current = registry.with_alias(name, CHALLENGER, tracking=tracking)
    champion = registry.champion(name, tracking=tracking)
    if (current and current.number > number) or (champion and champion.number == number):
        return None
    registry.set_alias(name, CHALLENGER, number, tracking=tracking)
    return CHALLENGER
