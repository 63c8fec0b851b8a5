"""An earlier state of a project: a folder, or a revision of git that is not checked out."""

import io
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from factory.base.errors import FactoryError
from factory.base.files import TEMPORARY

_READ = (".yaml", ".yml", ".sql")
"""What documents are made of."""


class NoRevisionError(FactoryError):
    """There is no such folder, and no such revision."""


@contextmanager
def project_at(against: str, project: Path) -> Iterator[Path]:
    """A folder with the project's `configs/` and SQL files as they were; gone afterwards unless it is named.

    Args:
        against: A folder with `configs/`, or whatever git takes for a commit: `HEAD`, `main`, `v1.2`.
        project: The project's folder, in a repository of git.

    Raises:
        NoRevisionError: It is neither.
    """
    folder = Path(against)
    if (folder / "configs").is_dir():
        yield folder.resolve()
        return
    with tempfile.TemporaryDirectory(prefix=TEMPORARY) as copy:
        _extract(against, project, Path(copy))
        yield Path(copy)


def _extract(revision: str, project: Path, target: Path) -> None:
    commit = _git(project, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}").decode()
    listed = _git(project, "ls-tree", "-r", "--name-only", "-z", commit.strip()).decode()
    names = [name for name in listed.split("\0") if name.endswith(_READ)]
    (target / "configs").mkdir()
    if not names:
        return
    packed = _git(project, "archive", "--format=tar", commit.strip(), "--", *names)
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(target, filter="data")


def _git(project: Path, *arguments: str) -> bytes:
    """What git says.

    Raises:
        NoRevisionError: It knows no such revision, or is not there.
    """
    command = ["git", "-C", str(project), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603
    except FileNotFoundError:
        raise NoRevisionError("git is not installed: name a folder with --against") from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()
        raise NoRevisionError(
            f"there is no folder with `configs/` and no revision of git of that name{f' ({said})' if said else ''}: "
            "write --against with a folder, or with a commit, branch or tag of the repository around the project"
        )
    return done.stdout
