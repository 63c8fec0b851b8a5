"""Questions to code that is slow to import: asked in processes of their own, and answers kept.

What the answers are made from decides whether they still hold: the installed packages, the factory's
own files, and the files that an answer names. A process answers one function's questions, and waits for
more until this one ends, so that a second round need not import again.
"""

import atexit
import json
import logging
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from factory.base.digests import sha256_of_json
from factory.base.errors import FactoryError
from factory.base.files import whole_file

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

log = logging.getLogger(__name__)

_SECONDS = 300.0
_ENDING = 10.0
_MOST_KEPT = 20_000
"""Answers in a file; those that were asked for last stay."""
_FACTORY = Path(__file__).parents[1]


class UnansweredError(FactoryError):
    """Who was asked failed, or took too long."""


@dataclass(frozen=True)
class Reply:
    """What a function says to a question."""

    value: Any
    """A JSON value."""
    files: tuple[str, ...] = ()
    """Files of the project that it was made from: it is asked again when one has changed."""


@dataclass(frozen=True)
class _Kept:
    value: Any
    files: Mapping[str, str]
    """By path, what they looked like."""

    @property
    def holds(self) -> bool:
        return all(_looks(Path(path)) == before for path, before in self.files.items())


_REMEMBERED: dict[str, _Kept] = {}
"""Of this process, by the digest of the question."""


def answers(questions: Sequence[tuple[str, Any]], kept_in: Path | None) -> list[Any]:
    """The values of the answers, in the order of the questions.

    Where a function failed or took too long, its questions have an `UnansweredError` for an answer.

    Args:
        questions: Functions, as `package.module:function`, and their arguments, as JSON values.
        kept_in: The file with earlier answers; None to keep none.
    """
    keys = [sha256_of_json([*question, _installed()]) for question in questions]
    kept = {**_REMEMBERED, **(dict(_read(kept_in)) if kept_in else {})}
    wanted = {
        key: question
        for key, question in zip(keys, questions, strict=True)
        if key not in kept or not kept[key].holds
    }
    unanswered: dict[str, UnansweredError] = {}
    if wanted:
        asked, unanswered = _asked(wanted)
        _REMEMBERED.update(asked)
        kept = {key: one for key, one in kept.items() if key not in wanted} | asked
        if kept_in:
            used = {key: kept[key] for key in keys if key not in unanswered}
            others = {key: one for key, one in kept.items() if key not in used}
            _write(kept_in, dict(list((others | used).items())[-_MOST_KEPT:]))
    return [unanswered[key] if key in unanswered else kept[key].value for key in keys]


def answer_here(function: str, argument: Any) -> Any:
    """The value of an answer, asked in this process; for those that import what is heavy anyway."""
    reply: Reply = _function(function)(json.loads(json.dumps(argument)))
    return reply.value


def _asked(
    questions: Mapping[str, tuple[str, Any]],
) -> tuple[dict[str, _Kept], dict[str, UnansweredError]]:
    from concurrent.futures import ThreadPoolExecutor

    by_function: dict[str, dict[str, Any]] = {}
    for key, (function, argument) in questions.items():
        by_function.setdefault(function, {})[key] = argument
    found: dict[str, _Kept] = {}
    unanswered: dict[str, UnansweredError] = {}
    with ThreadPoolExecutor(len(by_function)) as pool:
        answered = pool.map(_ask, by_function, by_function.values())
        for arguments, one in zip(by_function.values(), answered, strict=True):
            if isinstance(one, UnansweredError):
                unanswered |= dict.fromkeys(arguments, one)
            else:
                found |= one
    return found, unanswered


def _ask(function: str, arguments: Mapping[str, Any]) -> dict[str, _Kept] | UnansweredError:
    process = _process(function)
    try:
        found = process.ask(list(arguments.values()))
    except UnansweredError as error:
        process.end()
        return error
    kept = [
        _Kept(one["value"], {path: _looks(Path(path)) for path in one["files"]}) for one in found
    ]
    for one in kept:
        process.files.update(one.files)
    return dict(zip(arguments, kept, strict=True))


class _Process:
    """A process that answers the questions of one function, with what this one imports from."""

    def __init__(self, function: str) -> None:
        # Late: mostly all answers are there, and no process is needed.
        import subprocess
        import tempfile
        from multiprocessing import Pipe

        self.function = function
        self.files: dict[str, str] = {}
        """What files of the project looked like that it has imported."""
        self._connection: Connection[Any, Any]
        self._connection, theirs = Pipe()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - ends with the process
        with theirs:
            # What this process sees, and not what lies in the folder in which it was called.
            path = os.pathsep.join(filter(None, sys.path))
            self._running = subprocess.Popen(  # noqa: S603 - ourselves
                [sys.executable, "-P", "-m", __name__, function, str(theirs.fileno())],
                env={**os.environ, "PYTHONPATH": path},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._errors,
                pass_fds=[theirs.fileno()],
            )

    @property
    def is_usable(self) -> bool:
        """Whether it lives, and what it has imported is still what lies on the disk."""
        is_new = all(_looks(Path(path)) == before for path, before in self.files.items())
        return is_new and self._running.poll() is None

    def ask(self, arguments: list[Any]) -> list[dict[str, Any]]:
        """Each argument's reply.

        Raises:
            UnansweredError: The function failed, or took too long.
        """
        try:
            self._connection.send_bytes(json.dumps(arguments).encode())
            if self._connection.poll(_SECONDS):
                replies: list[dict[str, Any]] = json.loads(self._connection.recv_bytes())
                return replies
        except (EOFError, OSError):
            self._running.wait(_ENDING)
            self._errors.seek(0)
            lines = self._errors.read().decode(errors="replace").strip().splitlines()
            last = (lines or ["without a word"])[-1]
            raise UnansweredError(f"{self.function} failed: {last}") from None
        raise UnansweredError(
            f"{self.function} did not answer within {_SECONDS:.0f} s; something that it imports hangs"
        )

    def end(self) -> None:
        """End it; it holds nothing that could be lost."""
        self._connection.close()
        self._running.kill()
        self._running.wait()
        self._errors.close()


_PROCESSES: dict[tuple[str, ...], _Process] = {}
"""By the function and what is imported from."""


def _process(function: str) -> _Process:
    key = (function, *sys.path)
    if key not in _PROCESSES or not _PROCESSES[key].is_usable:
        if key in _PROCESSES:
            _PROCESSES[key].end()
        _PROCESSES[key] = _Process(function)
    return _PROCESSES[key]


@atexit.register
def forget() -> None:
    """End the processes, and forget all answers that are in no file."""
    while _PROCESSES:
        _PROCESSES.popitem()[1].end()
    _REMEMBERED.clear()


def _looks(path: Path) -> str:
    try:
        state = path.stat()
    except OSError:
        return ""
    return f"{state.st_mtime_ns} {state.st_size}"


@cache
def _installed() -> str:
    """What changes when packages come, go or change, and when the factory itself does."""
    import site
    import sysconfig

    folders = {*site.getsitepackages(), sysconfig.get_path("purelib"), site.getusersitepackages()}
    names = sorted(name for folder in sorted(folders) for name in _distributions(folder))
    return sha256_of_json([sys.version, names, sorted(_modules(str(_FACTORY)))])


def _modules(folder: str) -> Iterator[str]:
    """Every module below a folder, with what it looks like."""
    with os.scandir(folder) as found:
        for entry in found:
            if entry.name.endswith(".py"):
                state = entry.stat()
                yield f"{entry.path} {state.st_mtime_ns} {state.st_size}"
            elif entry.is_dir(follow_symlinks=False):
                yield from _modules(entry.path)


def _distributions(folder: str) -> Iterator[str]:
    """The names of folders with metadata, which have the version in them."""
    try:
        with os.scandir(folder) as found:
            yield from (
                f"{entry.name} {entry.stat().st_mtime_ns}"
                for entry in found
                if entry.name.endswith(".dist-info")
            )
    except OSError:
        return


def _read(file: Path) -> Iterable[tuple[str, _Kept]]:
    try:
        found = json.loads(file.read_text())
        return [(key, _Kept(**one)) for key, one in found.items()]
    except FileNotFoundError:
        return ()
    except (OSError, ValueError, TypeError, AttributeError) as error:
        log.info("The answers in %s are asked for anew: %s", file, error)
        return ()


def _write(file: Path, kept: Mapping[str, _Kept]) -> None:
    try:
        with whole_file(file) as unfinished:
            unfinished.write_text(json.dumps({key: asdict(one) for key, one in kept.items()}))
    except (FactoryError, OSError) as error:
        log.info("Answers are not kept: %s", error)


def _function(path: str) -> Callable[[Any], Reply]:
    module, _, name = path.partition(":")
    function: Callable[[Any], Reply] = getattr(import_module(module), name)
    return function


def _answer(function: str, connection: "Connection[Any, Any]") -> None:
    """In the process of its own: ask a function about each argument that comes, until none can come."""
    asked = _function(function)
    while True:
        try:
            arguments = json.loads(connection.recv_bytes())
        except EOFError:
            return
        found: list[Reply] = [asked(argument) for argument in arguments]
        connection.send_bytes(json.dumps([asdict(one) for one in found]).encode())


if __name__ == "__main__":
    from multiprocessing.connection import Connection

    _answer(sys.argv[1], Connection(int(sys.argv[2])))
