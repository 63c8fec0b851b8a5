"""Files of the project that parameters name, put where trials are given their rows."""

from pathlib import Path

from factory.base.errors import TerminalError
from factory.base.files import copy_file
from factory.trainers.fastai.params import is_fastai, is_in_package
from factory.training.model import Model


def project_files(workspace: Path) -> Path:
    """The folder of a run's copies; beside the parts of the split, for a job gets nothing else."""
    return workspace / "split" / "files"


def copy_project_files(model: Model, project: Path, workspace: Path) -> None:
    """Copy the weights that a search names, so that each trial finds them wherever it is trained.

    Args:
        model: The model's section of the team file.
        project: The folder that paths are below.
        workspace: The run's scratch folder.

    Raises:
        TerminalError: There is no such file, or it lies outside the project behind a link.
    """
    root = project.resolve()
    written = {
        value
        for estimator, value in model.search.written("weights")
        if isinstance(value, str) and is_fastai(estimator)
    }
    for name in sorted(written):
        if is_in_package(name):
            continue
        file = (root / name).resolve()
        if not file.is_relative_to(root) or not file.is_file():
            raise TerminalError(f"weights: there is no file {name!r} below the project's folder")
        copy_file(file, project_files(workspace) / name)
