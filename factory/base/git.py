"""The commit of a folder, where git knows it."""

import subprocess
from pathlib import Path

from factory.base.values import Result

_PATIENCE = 10.0
"""Seconds: git may wait for a disk of the network."""


class Commit(Result):
    """The commit that a folder was checked out at."""

    sha: str
    is_changed: bool
    """Whether files of the folder that git knows were changed since."""

    @property
    def short(self) -> str:
        """As people write it."""
        return (
            f"{self.sha[:12]}{' (and changes that were not committed)' if self.is_changed else ''}"
        )


def commit_of(folder: Path) -> Commit | None:
    """The commit of a folder; None without git, outside of a repository, or before the first commit."""
    sha = _git(folder, "rev-parse", "--verify", "--quiet", "HEAD")
    if not sha:
        return None
    changed = _git(folder, "status", "--porcelain", "--untracked-files=no", "--", ".")
    return Commit(sha=sha, is_changed=bool(changed))


def _git(folder: Path, *arguments: str) -> str | None:
    command = ["git", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(  # noqa: S603 - no shell, and no argument of a person's
            command, capture_output=True, text=True, check=False, timeout=_PATIENCE
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
