"""The scratch folder that the tasks of one run share."""

import os
import re
import shutil
from pathlib import Path

from factory.base.digests import sha256
from factory.base.errors import TerminalError
from factory.base.files import unwritable_explained, write_json

OWNER = "run.json"
"""The file in a workspace that says whose it is: `dag_id`, `run_id`, and `airflow`, its AIRFLOW_HOME."""


class WorkspaceGoneError(TerminalError):
    """What one task has left for another is not there any more."""

    def __init__(self, what: str, task: str, folder: Path) -> None:
        super().__init__(
            f"{what} is not in the workspace any more ({folder}): somebody or something has removed it. "
            f"Clear the DAG run from `{task}` on, so that it is made again"
        )


def open_workspace(root: Path, dag_id: str, run_id: str) -> Path:
    """The folder of one run, made if it is not there; only its owner may look inside.

    Args:
        root: Where the folders of all runs lie, on a disk that every worker sees.
        dag_id: Any text.
        run_id: Any text; a user may have chosen it.

    Raises:
        DiskFullError: There is no room for it.
        NotWritableError: It cannot be made there.
    """
    folder = workspace_path(root, dag_id, run_id)
    with unwritable_explained(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # mkdir's mode is cut by the umask, and a folder that was there may be open to others.
        folder.chmod(0o700)
        owner = {"dag_id": dag_id, "run_id": run_id, "airflow": os.environ.get("AIRFLOW_HOME")}
        write_json(folder / OWNER, owner)
    return folder


def close_workspace(root: Path, dag_id: str, run_id: str) -> None:
    """Remove the folder of one run, if it is there."""
    folder = workspace_path(root, dag_id, run_id)
    if folder.exists():
        shutil.rmtree(folder)


def workspace_path(root: Path, dag_id: str, run_id: str) -> Path:
    """Where the folder of one run lies, whether or not it is there."""
    return root.resolve() / _folder_name(dag_id) / _folder_name(run_id)


def _folder_name(text: str) -> str:
    # The digest keeps names apart that are equal once they are safe, or that are cut.
    safe = re.sub(r"[^A-Za-z0-9_-]+", "_", text)[:80]
    return f"{safe}-{sha256(text)[:8]}"
