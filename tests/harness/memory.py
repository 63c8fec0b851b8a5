"""How much memory this process has needed."""

import re
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
"""Where a process of its own must be started to import this module."""


def peak_kilobytes() -> int:
    """The most that was resident since the process began its program.

    Not `ru_maxrss`, which in a process that another one has started counts from what that one held.
    """
    status = Path("/proc/self/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1])
