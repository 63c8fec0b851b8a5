"""Keeps a command running: starts it again when it ends by itself.

Run as `python -m factory.runtime.restart COMMAND…`, as a component of the runtime. Of Airflow and MLflow
none may end unseen, since tasks would be lost; a server that only answers may come back.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Sequence

from factory.base.processes import end, family
from factory.runtime.errors import Interrupted
from factory.runtime.processes import POLL
from factory.runtime.signals import StopSignals

_STEADY = 30.0
"""Seconds after which a command that ends has not merely failed to start."""
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0


def keep(command: Sequence[str], pause: Callable[[float], None]) -> None:
    """Run a command, again and again, until `pause` raises; then it is ended.

    Between two starts lies a pause, which grows while the command ends soon after its start.
    """
    wait = _FIRST_PAUSE
    while True:
        began = time.monotonic()
        code = _run(command, pause)
        wait = _FIRST_PAUSE if time.monotonic() - began > _STEADY else min(2 * wait, _LONGEST_PAUSE)
        ending = f"signal {-code}" if code < 0 else f"exit code {code}"
        sys.stderr.write(f"It ended with {ending}, and is started again in {wait:g} s.\n")
        pause(wait)


def _run(command: Sequence[str], pause: Callable[[float], None]) -> int:
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)  # noqa: S603 - our own command
    try:
        while process.poll() is None:
            pause(POLL)
    finally:
        end(family(process))
        process.wait()
    return process.returncode


def main() -> None:
    """Keep the command of the command line running until a signal asks to stop."""
    with StopSignals() as signals:
        try:
            keep(sys.argv[1:], signals.pause)
        except Interrupted:
            return


if __name__ == "__main__":
    main()
