"""Files that only grow, kept within a size."""

import shutil
from pathlib import Path

MOST_BYTES = 10 * 1024**2
"""A log that has grown beyond this is put aside, and a new one begun."""
KEPT = 3
"""So many are kept of those that were put aside: `name.1` is the newest."""


def rotate(file: Path, *, is_held: bool, most_bytes: int = MOST_BYTES) -> bool:
    """Put a file aside if it has grown too large.

    Args:
        file: The file; nothing happens if there is none.
        is_held: Whether a process has it open for appending. Its content is copied then, and what is
            written in that moment may be lost; else it is renamed.
        most_bytes: How large it may be.

    Returns:
        Whether it was.
    """
    if not file.is_file() or file.stat().st_size <= most_bytes:
        return False
    for number in range(KEPT - 1, 0, -1):
        before = _aside(file, number)
        if before.exists():
            before.replace(_aside(file, number + 1))
    if not is_held:
        file.replace(_aside(file, 1))
        return True
    shutil.copyfile(file, _aside(file, 1))
    _aside(file, 1).chmod(0o600)
    with file.open("r+b") as content:
        content.truncate(0)
    return True


def _aside(file: Path, number: int) -> Path:
    return file.with_name(f"{file.name}.{number}")
