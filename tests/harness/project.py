"""A project in a folder of its own, made of given files, and the command `factory` called for it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd
from sklearn.datasets import load_iris

REPOSITORY = Path(__file__).parents[2]


def make_project(folder: Path, files: Mapping[str, str], *, code: Iterable[Path] = ()) -> Path:
    """Put this repository's DAG files, and files of a project's own, into a folder; the folder.

    Args:
        folder: The project.
        files: Its texts by path, the teams' files among them.
        code: Modules that team files may name: they are put into the project's folder `code`.
    """
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(REPOSITORY / "dags", folder / "dags", ignore=ignored)
    for name in ("configs", "code", "data"):
        (folder / name).mkdir()
    for module in code:
        shutil.copy(module, folder / "code")
    write(folder, files)
    return folder


def write(folder: Path, files: Mapping[str, str]) -> None:
    """Write texts by path, below a folder."""
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True, parents=True)
        (folder / name).write_text(text)


def call_factory(
    project: Path, *arguments: str, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Call the command `factory` for a project, as a person in another terminal does."""
    foreign = ("MLFLOW_TRACKING", "FACTORY_")
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(foreign)}
    return subprocess.run(
        [sys.executable, "-m", "factory", *arguments, "--project", str(project)],
        env={**inherited, "COLUMNS": "250", **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )


def flowers(species: Iterable[str] = ("cod", "hake", "ling")) -> pd.DataFrame:
    """The 150 rows of iris: four measures, and a species by names of one's own."""
    frame = load_iris(as_frame=True).frame
    frame = frame.rename(columns=lambda name: name.split(" (")[0].replace(" ", "_"))
    frame["species"] = frame.pop("target").map(dict(enumerate(species)))
    return frame
