"""Processes that tests start to send them signals."""

import signal
import subprocess
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any


def start(
    command: Sequence[str | Path], *, ignored: Collection[signal.Signals] = (), **options: Any
) -> subprocess.Popen[Any]:
    """A process with the signals of a terminal's command, whatever the tests have inherited.

    A CI's background job and `nohup` ignore SIGINT and SIGHUP, and all that they start with them.

    Args:
        command: The program and its arguments.
        ignored: Signals that it shall inherit as ignored, as it would there.
        options: Those of `subprocess.Popen`.
    """

    def set_signals() -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN if number in ignored else signal.SIG_DFL)

    return subprocess.Popen(command, preexec_fn=set_signals, **options)  # noqa: PLW1509 - small tests
