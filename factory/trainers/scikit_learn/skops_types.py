"""Which types a pipeline may consist of, so that reading it from a skops file runs no code but theirs."""

import tempfile
from collections.abc import Iterable
from pathlib import Path

import skops.io

from factory.base.errors import TerminalError
from factory.base.files import TEMPORARY
from factory.trainers.trainer import TrainedModel

_TRUSTED_PACKAGES = ("sklearn", "numpy", "scipy", "factory.trainers")
_PLAIN_TYPES = frozenset(("collections.OrderedDict",))
"""Types of Python's own that hold values and do nothing with them; LightGBM keeps its scores in them."""


def trusted_types(pipeline: TrainedModel, packages: Iterable[str]) -> list[str]:
    """The types in a pipeline that skops does not know but that belong to trusted packages.

    Args:
        pipeline: A fitted pipeline.
        packages: Packages whose types are trusted, besides scikit-learn's and our own.

    Raises:
        TerminalError: There are types of other packages, or skops cannot write the pipeline.
    """
    with tempfile.TemporaryDirectory(prefix=TEMPORARY) as folder:
        return _written(pipeline, packages, Path(folder) / "model.skops")


def check_round_trip(pipeline: TrainedModel, packages: Iterable[str]) -> None:
    """Write a pipeline, and read it back.

    Raises:
        TerminalError: See `trusted_types`; or what was written cannot be read.
    """
    with tempfile.TemporaryDirectory(prefix=TEMPORARY) as folder:
        file = Path(folder) / "model.skops"
        trusted = _written(pipeline, packages, file)
        try:
            skops.io.load(file, trusted=trusted)
        # As above.
        except Exception as error:
            raise _unstorable(pipeline, error) from error


def _written(pipeline: TrainedModel, packages: Iterable[str], file: Path) -> list[str]:
    try:
        skops.io.dump(pipeline, file)
        unknown = skops.io.get_untrusted_types(file=file)
    # Skops passes on whatever a type's own code raises.
    except Exception as error:
        raise _unstorable(pipeline, error) from error
    check_trust(unknown, packages)
    return list(unknown)


def _unstorable(pipeline: TrainedModel, error: Exception) -> TerminalError:
    return TerminalError(
        f"the model {pipeline[-1]} cannot be stored without pickle: {error}. "
        "Use estimators and functions that are defined at the top level of a module"
    )


def check_trust(unknown: Iterable[str], packages: Iterable[str]) -> None:
    """Check that all types are of packages that are trusted, or these; the same where a model is read.

    Raises:
        TerminalError: There are others.
    """
    trusted = (*_TRUSTED_PACKAGES, *packages)
    beginnings = tuple(f"{package}." for package in trusted)
    foreign = [
        name for name in unknown if name not in _PLAIN_TYPES and not name.startswith(beginnings)
    ]
    if foreign:
        raise TerminalError(
            f"the model holds types that are not trusted: {', '.join(foreign)}. Only types of the "
            f"packages that `estimator` and `preprocessing` name are: {', '.join(trusted)}"
        )
