"""Work in a process forked from this one: it can be ended in the middle, as nothing else can."""

import logging
import multiprocessing
import os
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection

import psutil

from factory.base.errors import FactoryError, TerminalError, may_pass, told
from factory.base.processes import kill

logger = logging.getLogger(__name__)

_LONGEST = 2_000


class EndedError(TerminalError):
    """The process was ended before its work was."""


def run_forked(work: Callable[[], object], seconds: float) -> None:
    """Do some work in a process of its own, which ends with all that it has started.

    What the work comes to it leaves in files. A process that has used threads of OpenMP cannot be forked for work that
    uses some too: that would wait for ever.

    Args:
        work: What is done.
        seconds: How long it may take.

    Raises:
        EndedError: It took longer, or something else has ended the process: a lack of memory, or a library's fault.
        TerminalError: The work has raised it, or an error that is not one of ours.
        FactoryError: The work has raised it, and trying again may mend it.
    """
    receiver, sender = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(target=_work, args=(work, sender))
    process.start()
    sender.close()
    try:
        process.join(seconds)
        if process.is_alive():
            raise EndedError(f"it took longer than {seconds:g} seconds, and was stopped")
        if (raised := _raised(receiver)) is not None:
            raise raised
        if process.exitcode:
            raise EndedError(_why(process.exitcode))
    finally:
        receiver.close()
        if process.is_alive() and process.pid is not None:
            first = psutil.Process(process.pid)
            # Estimators may have processes of their own.
            kill((first, *first.children(recursive=True)))
        process.join()


def _raised(receiver: Connection) -> FactoryError | None:
    """What the work has raised, if it has."""
    try:
        passes, text = receiver.recv()
    except EOFError:
        return None
    return FactoryError(text) if passes else TerminalError(text)


def _work(work: Callable[[], object], sender: Connection) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        work()
    # Whatever it is, the one that waits is told.
    except Exception as error:
        if not isinstance(error, FactoryError):
            logger.exception("an error that nobody foresaw")
        sender.send((may_pass(error), told(error)[:_LONGEST]))
        raise SystemExit(1) from None


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _why(status: int) -> str:
    if status == -9:
        return "its process was killed, as the system does when memory runs out"
    return f"its process ended with {f'signal {-status}' if status < 0 else f'status {status}'}"
