"""Files of the project that parameters name, put where trials are given their rows."""

from pathlib import Path

from factory.base.errors import TerminalError
from factory.base.files import copy_file
from factory.trainers.dispatch import trainer_class
from factory.training.model import Model


def project_files(workspace: Path) -> Path:
    """The folder of a run's copies; beside the parts of the split, for a job gets nothing else."""
    return workspace / "split" / "files"


def copy_project_files(model: Model, project: Path, workspace: Path) -> None:
    """Copy the files that parameters of a search name, such as weights, so that each trial finds them wherever it is trained.

    Args:
        model: The model's section of the team file.
        project: The folder that paths are below.
        workspace: The run's scratch folder.

    Raises:
        TerminalError: There is no such file, or it lies outside the project behind a link.
    """
    root = project.resolve()
    for param, name in sorted(_named(model)):
        file = (root / name).resolve()
        if not file.is_relative_to(root) or not file.is_file():
            raise TerminalError(f"{param}: there is no file {name!r} below the project's folder")
        copy_file(file, project_files(workspace) / name)


def _named(model: Model) -> set[tuple[str, str]]:
    """Each parameter that names a file of the project, and the file."""
    trainers = {path: trainer_class(path) for path in model.search.estimators}
    return {
        (param, name)
        for param in {param for trainer in trainers.values() for param in trainer.file_params}
        for path, value in model.search.written(param)
        if param in trainers[path].file_params
        and (name := trainers[path].project_file(value)) is not None
    }
