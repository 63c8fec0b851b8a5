"""Scikit-learn pipelines in MLflow, as skops files: reading one runs no code but that of known types."""

import importlib.metadata
import logging
import sys
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path

import mlflow.models
import mlflow.sklearn
import pandas as pd
import skops.io
from mlflow.models import infer_signature

from factory.base.errors import TerminalError
from factory.trainers.scikit_learn.skops_types import check_trust, trusted_types
from factory.trainers.scikit_learn.tree_check import check_trees
from factory.trainers.trainer import LoggedModel, TrainedModel

logger = logging.getLogger(__name__)

_EXAMPLE_ROWS = 5
_REQUIREMENTS = ("scikit-learn", "skops", "numpy", "pandas", "scipy")


def log_pipeline(pipeline: TrainedModel, logged: LoggedModel, targets: Sequence[str] = ()) -> str:
    """Log a fitted pipeline to MLflow's current server, with signature and input example.

    Args:
        pipeline: The model.
        logged: What MLflow is told besides.
        targets: The names of several targets, in the order of what it predicts.

    Returns:
        The model's MLflow URI.

    Raises:
        TerminalError: The pipeline consists of types outside the trusted packages, or cannot be
            written as a skops file.
    """
    trusted = trusted_types(pipeline, logged.packages)
    example = logged.features.head(_EXAMPLE_ROWS)
    said = pipeline.predict(logged.features)
    # As a series, so that classes are strings in the signature, not a tensor of objects.
    predicted = pd.DataFrame(said, columns=[*targets]) if targets else pd.Series(said)
    with warnings.catch_warnings():
        # Integer classes are never missing, which is what this hint is about.
        warnings.filterwarnings("ignore", message="Hint: Inferred schema contains integer")
        signature = infer_signature(logged.features, predicted)
    model = mlflow.sklearn.log_model(
        pipeline,
        model_id=logged.model_id,
        serialization_format=mlflow.sklearn.SERIALIZATION_FORMAT_SKOPS,
        skops_trusted_types=trusted,
        signature=signature,
        input_example=example,
        # Named here, because MLflow finds them by loading the model in another process.
        pip_requirements=_requirements(trusted),
    )
    return str(model.model_uri)


def load_pipeline(folder: Path, packages: Iterable[str]) -> TrainedModel:
    """A pipeline that `log_pipeline` logged.

    Which types are trusted is decided here: MLflow's own loader trusts those that the model's
    files ask for.

    Args:
        folder: A copy of its files.
        packages: Packages whose types it may hold besides scikit-learn's.

    Raises:
        TerminalError: It holds other types, is no skops file, or has a tree that cannot be walked.
    """
    flavor = mlflow.models.Model.load(folder).flavors.get(mlflow.sklearn.FLAVOR_NAME, {})
    written_as = flavor.get("serialization_format", "no scikit-learn model")
    if written_as != mlflow.sklearn.SERIALIZATION_FORMAT_SKOPS:
        raise TerminalError(
            f"the model is stored as {written_as}, and reading that may run any code: only skops "
            "files are read; train the model again"
        )
    file = folder / flavor["pickled_model"]
    unknown = skops.io.get_untrusted_types(file=file)
    check_trust(unknown, packages)
    try:
        pipeline = skops.io.load(file, trusted=unknown)
    # Whatever the types' own code raises, in other versions of their packages say.
    except Exception as error:
        raise TerminalError(
            f"the model cannot be read back here: {error!r}. Compare the versions of packages with "
            "those in its requirements.txt, or train the model again"
        ) from error
    check_trees(pipeline)
    return pipeline


def _requirements(types: Iterable[str]) -> list[str]:
    """The exact versions, installed here, of the packages that the model needs."""
    distributions = set(_REQUIREMENTS)
    packages = {name.partition(".")[0] for name in types}
    others = packages - {"sklearn", "numpy", "scipy"} - sys.stdlib_module_names
    if others:
        owners = importlib.metadata.packages_distributions()
        for package in sorted(others):
            if package not in owners:
                logger.warning(
                    "Nobody owns the package %r: whoever serves the model must have it", package
                )
            distributions.update(owners.get(package, ()))
    return [f"{name}=={importlib.metadata.version(name)}" for name in sorted(distributions)]
