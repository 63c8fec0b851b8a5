"""A stored model in other versions of its packages: it must still say what it said when it was registered."""

import importlib.metadata
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from factory.base.errors import TerminalError
from factory.base.values import Result

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from factory.trainers.trainer import TrainedModel, Trainer

_PINNED = re.compile(r"([A-Za-z0-9._-]+)==([^\s;]+)")


class RecordedExample(Result):
    """What a model said of its input example, and in which versions of packages."""

    predictions: tuple[float | str | bool, ...]
    """One a row of the example; of several targets those of the first row, then those of the second …"""
    packages: dict[str, str]
    """Each package that it needs, and its version."""


class OtherPredictionsError(TerminalError):
    """A model says something else than when it was registered."""


def record_example(
    folder: Path, trainer: "Trainer", model: "TrainedModel", example: "pd.DataFrame | None"
) -> RecordedExample | None:
    """What a model that has just been stored says of its example; None where it has none.

    Args:
        folder: The model's files, with a requirements.txt.
        trainer: Its trainer.
        model: The model, read back from these files.
        example: Its input example.
    """
    if example is None:
        return None
    said = trainer.predict(model, example).values
    return RecordedExample(predictions=tuple(said.ravel().tolist()), packages=_pinned(folder))


def check_replay(
    what: str,
    recorded: RecordedExample | None,
    trainer: "Trainer",
    model: "TrainedModel",
    example: "pd.DataFrame | None",
) -> None:
    """Refuse a model that says something else here; asked only where versions of packages differ.

    Args:
        what: The model, as errors name it.
        recorded: See `record_example`; without it nothing is known, and nothing is refused.
        trainer: The model's trainer.
        model: The model.
        example: Its input example.

    Raises:
        OtherPredictionsError: It does, or it cannot be asked here.
    """
    if recorded is None or example is None or not (changed := changed_packages(recorded.packages)):
        return
    advice = (
        f"trained with {changed}. Train it again, or install the versions in its requirements.txt"
    )
    try:
        said = trainer.predict(model, example).values
    # Whatever the library's own code raises that was changed.
    except Exception as error:
        raise OtherPredictionsError(
            f"{what} cannot be asked here ({error}): it was {advice}"
        ) from error
    different = _different(said, recorded.predictions)
    if different:
        raise OtherPredictionsError(
            f"{what} says something else for {different} of the {len(example)} rows that it was "
            f"registered with: it was {advice}"
        )


def _different(said: "NDArray[Any]", before: tuple[float | str | bool, ...]) -> int:
    import numpy as np

    if said.dtype.kind == "f":
        known = np.asarray(before, dtype=np.float64).reshape(said.shape)
        return rows_apart(~np.isclose(said, known, rtol=1e-6, equal_nan=True))
    pairs = zip(said.ravel().tolist(), before, strict=True)
    return rows_apart(np.array([one != other for one, other in pairs]).reshape(said.shape))


def rows_apart(is_other: "NDArray[Any]") -> int:
    """Of how many rows something is said otherwise: of them, or of one of their targets."""
    return int((is_other if is_other.ndim == 1 else is_other.any(axis=1)).sum())


def changed_packages(packages: Mapping[str, str]) -> str:
    """The packages that have another version here, in words; empty if none has."""
    found = {name: _installed(name) for name in packages}
    return ", ".join(
        f"{name} {packages[name]} (here: {version or 'not installed'})"
        for name, version in found.items()
        if version != packages[name]
    )


def _installed(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _pinned(folder: Path) -> dict[str, str]:
    file = folder / "requirements.txt"
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    return {match[1]: match[2] for line in lines if (match := _PINNED.match(line.strip()))}
