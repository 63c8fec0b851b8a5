"""What happens in the story, chapter by chapter."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

TRAIN = "homes.value.train"
PREDICT = "homes.value.predict"
MONITOR = "homes.value.monitor"
APPRAISALS = "homes.appraisals"
BLOCKS = "homes.blocks"
DRIFT = "homes.value.drift"


@dataclass(frozen=True)
class Chapter:
    """Rows arrive, and one DAG is told to fetch them; all else follows by datasets."""

    title: str
    arrive: Callable[[Path], int]
    """Writes the rows below the project's `data`; how many."""
    producer: str
    """The DAG that fetches them."""
    awake: frozenset[str]
    """The DAGs that may run; the others are paused as yet."""


def chapters() -> tuple[Chapter, ...]:
    """The story."""
    from factory.scenarios.drift import rows

    everything = frozenset({APPRAISALS, BLOCKS, TRAIN, PREDICT, MONITOR})
    return (
        Chapter(
            "Blocks around Los Angeles are appraised: a first model is trained.",
            rows.appraise_the_south,
            APPRAISALS,
            # There is nothing to predict yet.
            frozenset({APPRAISALS, TRAIN}),
        ),
        Chapter(
            "Further blocks of the same places are to be valued: predictions, and nothing to report.",
            rows.ask_for_the_south,
            BLOCKS,
            everything,
        ),
        Chapter(
            "Appraisals of the north come in: too few rows alone to train again for.",
            rows.appraise_the_north,
            APPRAISALS,
            everything,
        ),
        Chapter(
            "Blocks of the north are to be valued: the model meets what it has not learned.",
            rows.ask_for_the_north,
            BLOCKS,
            everything,
        ),
    )


def make_project(folder: Path, dags: Path) -> None:
    """Make the story's project: its team file, and the DAG files of this installation.

    Args:
        folder: The project's folder; made if it is not there.
        dags: The folder with the DAG files.
    """
    with as_file(files("factory.scenarios.drift") / "configs") as configs:
        shutil.copytree(configs, folder / "configs", dirs_exist_ok=True)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(dags, folder / "dags", dirs_exist_ok=True, ignore=ignored)
