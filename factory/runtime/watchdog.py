"""Ends a runtime's processes when the one that started them is gone, however it went.

Run as `python -m factory.runtime.watchdog HOME RUN`, with a pipe as standard input whose other end
nobody but the supervisor holds: when the supervisor dies, by SIGKILL too, the pipe closes.
"""

import signal
import sys
from pathlib import Path

from factory.runtime.processes import sweep


def main() -> None:
    """Wait for the pipe's end, then end what is left."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    home, run = sys.argv[1:]
    sys.stdin.buffer.read()
    sweep(Path(home), run=run, grace=3)


if __name__ == "__main__":
    main()
