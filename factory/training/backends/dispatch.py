"""From the section `backend` to what does it."""

from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from factory.training.backends.local_process import LocalProcesses
from factory.training.backends.protocol import Backend
from factory.training.backends.sections import Backend as Section
from factory.training.backends.sections import LocalProcess, SageMaker

_SECTIONS: TypeAdapter[LocalProcess | SageMaker] = TypeAdapter(Section)


def section_of(backend: dict[str, Any]) -> LocalProcess | SageMaker:
    """The section that a document carries as plain data."""
    return _SECTIONS.validate_python(backend)


def backend_for(
    section: LocalProcess | SageMaker, *, storage: str, workspace: Path, prefix: str
) -> Backend:
    """Where the jobs of a run run.

    Args:
        section: The section of the team file.
        storage: The lake's address.
        workspace: The run's scratch folder.
        prefix: What the names of this run's jobs begin with.

    Raises:
        TerminalError: It cannot work so.
    """
    if isinstance(section, SageMaker):
        # Late: it needs the extra `aws`.
        from factory.training.backends.sagemaker import SageMakerJobs

        return SageMakerJobs.of(section, storage, prefix)
    return LocalProcesses(workspace, prefix)
