"""Run other programs, such as `docker build`, say what they said, and end processes."""

import logging
import os
import shutil
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress

import psutil

from factory.base.errors import FactoryError, TerminalError
from factory.base.secrets import without_secrets
from factory.base.texts import one_of

log = logging.getLogger(__name__)

GRACE = 6.0
"""Seconds between asking processes to end and ending them."""
_KEPT = 40
"""Lines of output that an error shows."""
_PATIENCE = 10.0
"""Seconds that a program has to end by itself, when it took too long or its task is stopped."""


class CommandError(FactoryError):
    """A program failed."""


def first_of(names: Iterable[str], wanted: str | None, purpose: str) -> str:
    """The program that is wanted, or the first of those that this machine has.

    Args:
        names: Programs that will do.
        wanted: The one that the configuration names, if it names one.
        purpose: What for, such as "builds images", for the message.

    Raises:
        TerminalError: There is none.
    """
    choices = [wanted] if wanted else list(names)
    for name in choices:
        if shutil.which(name):
            return name
    raise TerminalError(
        f"this machine has no {one_of(choices)}, which {purpose}: install it where the deployment's "
        "tasks run, or let them run on a machine that has it"
    )


def run(
    command: Sequence[str],
    *,
    seconds: float,
    environment: Mapping[str, str] | None = None,
    quiet: bool = False,
) -> str:
    """Run a program to its end; what it printed goes to the log line by line.

    When this task is stopped meanwhile, the program and all that it has started end with it.

    Args:
        command: The program and its arguments. They are logged: no secret may be among them.
        seconds: How long it may take.
        environment: Variables beside this process's own.
        quiet: Whether what it prints is an answer and no progress: it is not logged.

    Returns:
        What it printed on its standard output, if `quiet`.

    Raises:
        CommandError: It failed, or took too long.
        TerminalError: There is no such program.
    """
    log.info("%s", " ".join(command))
    try:
        process = subprocess.Popen(  # noqa: S603 - no shell, and a program of ours
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        )
    except FileNotFoundError:
        raise TerminalError(f"this machine has no program {command[0]}") from None
    output, errors = _Reader(process.stdout, log_it=not quiet), _Reader(process.stderr, log_it=True)
    try:
        status = process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        raise CommandError(
            f"{command[0]} {command[1]} was stopped after {seconds:g} seconds{errors.ending()}"
        ) from None
    finally:
        end(family(process), grace=_PATIENCE)
        process.wait()
        output.join()
        errors.join()
    if status:
        said = errors.ending() or output.ending()
        raise CommandError(f"{command[0]} {command[1]} failed with status {status}{said}")
    return output.text()


def family(process: "subprocess.Popen[bytes] | subprocess.Popen[str]") -> list[psutil.Process]:
    """A process that we started, its descendants, and what else is in the session that it leads.

    A process whose parent has ended is no descendant any more, but stays in the session.
    """
    if process.poll() is not None:
        return []
    found = {}
    with suppress(psutil.NoSuchProcess):
        first = psutil.Process(process.pid)
        found = {one.pid: one for one in (first, *first.children(recursive=True))}
    for one in session_of(process.pid):
        found.setdefault(one.pid, one)
    return list(found.values())


def session_of(leader: int) -> list[psutil.Process]:
    """The processes of the session that a process has started, whether it is alive or not."""
    found = []
    for one in psutil.process_iter():
        with suppress(OSError):
            if os.getsid(one.pid) == leader:
                found.append(one)
    return found


def end(
    processes: Iterable[psutil.Process],
    *,
    grace: float = GRACE,
    hurried: Callable[[], bool] = lambda: False,
) -> None:
    """Ask processes to end; after `grace` seconds, or when `hurried`, end them."""
    alive = list(processes)
    for process in alive:
        with suppress(psutil.Error):
            process.terminate()
    deadline = time.monotonic() + grace
    while alive and time.monotonic() < deadline and not hurried():
        _, alive = psutil.wait_procs(alive, timeout=min(0.2, grace))
    kill(alive)


def kill(processes: Iterable[psutil.Process]) -> None:
    """End processes at once, and wait until they have ended."""
    alive = list(processes)
    for process in alive:
        with suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(alive, timeout=GRACE)


class _Reader(threading.Thread):
    """Reads a pipe to its end, so that the program never waits for us."""

    def __init__(self, pipe: Iterable[str] | None, *, log_it: bool) -> None:
        super().__init__(daemon=True)
        self._pipe = pipe or ()
        self._log_it = log_it
        self._lines: list[str] = []
        self._last: deque[str] = deque(maxlen=_KEPT)
        self.start()

    def run(self) -> None:
        for line in self._pipe:
            self._last.append(line.rstrip())
            if self._log_it:
                log.info("%s", without_secrets(line.rstrip()))
            else:
                self._lines.append(line)

    def text(self) -> str:
        return "".join(self._lines)

    def ending(self) -> str:
        return ":\n" + without_secrets("\n".join(self._last)) if self._last else ""
