"""What MLflow calls to load a logged model: `mlflow.pyfunc.load_model` works without anything of ours."""

from pathlib import Path
from typing import Any

import pandas as pd
from numpy.typing import NDArray

from factory.trainers.fastai.learned import Learned, rebuilt
from factory.trainers.fastai.stored import read_folder


class Answering:
    """A model as MLflow's pyfunc wants one."""

    def __init__(self, learned: Learned) -> None:
        self._learned = learned

    def predict(self, rows: pd.DataFrame, params: dict[str, Any] | None = None) -> NDArray[Any]:  # noqa: ARG002
        """One class or number a row."""
        return self._learned.predict(rows).values


def _load_pyfunc(path: str) -> Answering:
    """The model in a folder; MLflow knows this function by its name."""
    return Answering(rebuilt(*read_folder(Path(path))))
