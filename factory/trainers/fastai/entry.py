"""Models of fastai: on images and on tables. Whoever imports this package imports no torch yet."""

from importlib.util import find_spec
from pathlib import Path

from factory.base.errors import TerminalError
from factory.trainers.trainer import Trainer
from factory.training.tasks import TaskName

_NEEDED = ("fastai", "torch", "timm", "safetensors")


def fastai_trainer(
    task: TaskName, estimator: str, threads: int | None, files: Path | None = None
) -> Trainer:
    """The trainer of fastai's estimators.

    Args:
        task: What the models do.
        estimator: The dotted path of the estimator.
        threads: How many processors torch may take; None leaves it to the process.
        files: What paths of weights are below; None where nothing is trained.

    Raises:
        TerminalError: fastai is not installed.
    """
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise TerminalError(
            f"{estimator} needs {', '.join(missing)}, which this installation lacks: "
            'pip install "ml-dag-factory[fastai]"'
        )
    from factory.trainers.fastai.trainer import FastaiTrainer

    return FastaiTrainer(task=task, estimator=estimator, threads=threads, files=files)
