"""A process of its own that reads documents: a poisoned file ends it, and nothing else.

It sees no variable of the environment, has limited memory, and is killed when a document takes too long.
Then another one reads the next document.
"""

import json
import os
import resource
import subprocess
import sys
from contextlib import suppress
from dataclasses import asdict
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any, Self

from factory.base.errors import FactoryError
from factory.data.documents.readers import Request, Text, UnreadableError, read

_MEMORY_BYTES = 2_000_000_000
_STARTING = 120.0
"""Seconds that a new process has to be ready; a busy machine imports slowly."""


class DocumentReader:
    """Reads one document after the other, in a process that is there from the first one on."""

    def __init__(self, seconds: int) -> None:
        """Start nothing yet.

        Args:
            seconds: How long a document may take.
        """
        self.seconds = seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection[Any, Any] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._end()

    def read(self, request: Request) -> Text:
        """The text of a document.

        Raises:
            UnreadableError: It cannot be read, or not within the limits.
            FactoryError: There is no process to read it.
        """
        connection = self._ready()
        try:
            connection.send_bytes(json.dumps(asdict(request)).encode())
            if not connection.poll(self.seconds):
                self._end()
                raise UnreadableError(
                    f"reading it takes longer than {self.seconds} seconds (`limits.seconds`)"
                )
            said = json.loads(connection.recv_bytes())
        except (EOFError, OSError):
            self._end()
            raise UnreadableError(
                "reading it ended the process that reads documents: it is broken, or made to do harm"
            ) from None
        if "error" in said:
            raise UnreadableError(said["error"])
        return Text(**said)

    def _ready(self) -> "Connection[Any, Any]":
        if self._connection is not None:
            return self._connection
        self._connection, theirs = Pipe()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - ourselves
                [sys.executable, "-P", "-m", __name__, str(theirs.fileno()), str(self.seconds)],
                # Who reads what nobody trusts needs no secret.
                env={"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "LC_ALL": "C.UTF-8"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )
        with suppress(EOFError, OSError):
            if self._connection.poll(_STARTING):
                self._connection.recv_bytes()
                return self._connection
        self._end()
        raise FactoryError(
            f"the process that reads documents was not ready within {_STARTING:.0f} seconds: the machine has too "
            "little memory, or too much to do"
        )

    def _end(self) -> None:
        """End the process; it holds nothing that could be lost."""
        if self._process is not None and self._connection is not None:
            self._connection.close()
            self._process.kill()
            self._process.wait()
        self._process = self._connection = None


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    try:
        return asdict(read(Request(**request)))
    except UnreadableError as error:
        return {"error": str(error)}
    except MemoryError:
        return {"error": f"reading it needs more than {_MEMORY_BYTES / 1e9:g} GB of memory"}
    except ImportError as error:
        return {"error": f"a package that reads it is missing: {error}"}
    # A broken file makes libraries raise nearly anything.
    except Exception as error:  # noqa: BLE001
        return {"error": f"it is broken: {str(error)[:300] or type(error).__name__}"}


def _limit(seconds: int) -> None:
    """Limit memory, and the processor's time for the next document, for where nobody is left to end this process."""
    used = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
    # Not every system has both limits.
    with suppress(ValueError, OSError):
        resource.setrlimit(
            resource.RLIMIT_CPU, (int(used) + 2 * seconds + 1, resource.RLIM_INFINITY)
        )
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, resource.RLIM_INFINITY))


def _serve(connection: "Connection[Any, Any]", seconds: int) -> None:
    """Answer until nobody asks any more."""
    connection.send_bytes(b"ready")
    while True:
        try:
            request = json.loads(connection.recv_bytes())
        except EOFError:
            return
        _limit(seconds)
        connection.send_bytes(json.dumps(_answer(request), default=str).encode())


if __name__ == "__main__":
    _serve(Connection(int(sys.argv[1])), int(sys.argv[2]))
