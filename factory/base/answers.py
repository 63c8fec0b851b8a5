"""Questions to code that is slow to import: asked in processes of their own, and answers kept.

What the answers are made from decides whether they still hold: the installed packages, the factory's
own files, and the files that an answer names.
"""

import json
import logging
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from factory.base.digests import sha256_of_json
from factory.base.errors import FactoryError
from factory.base.files import whole_file

log = logging.getLogger(__name__)

_SECONDS = 300.0
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

    Args:
        questions: Functions, as `package.module:function`, and their arguments, as JSON values.
        kept_in: The file with earlier answers; None to keep none.

    Raises:
        UnansweredError: A function failed, or none can be asked.
    """
    keys = [sha256_of_json([*question, _installed()]) for question in questions]
    kept = {**_REMEMBERED, **(dict(_read(kept_in)) if kept_in else {})}
    wanted = {
        key: question
        for key, question in zip(keys, questions, strict=True)
        if key not in kept or not kept[key].holds
    }
    if wanted:
        asked = _asked(wanted)
        _REMEMBERED.update(asked)
        kept = {key: one for key, one in kept.items() if key not in wanted} | asked
        if kept_in:
            used = {key: kept[key] for key in keys}
            others = {key: one for key, one in kept.items() if key not in used}
            _write(kept_in, dict(list((others | used).items())[-_MOST_KEPT:]))
    return [kept[key].value for key in keys]


def _asked(questions: Mapping[str, tuple[str, Any]]) -> dict[str, _Kept]:
    from concurrent.futures import ThreadPoolExecutor

    by_function: dict[str, dict[str, Any]] = {}
    for key, (function, argument) in questions.items():
        by_function.setdefault(function, {})[key] = argument
    found: dict[str, _Kept] = {}
    with ThreadPoolExecutor(len(by_function)) as pool:
        for answered in pool.map(_ask, by_function, by_function.values()):
            found |= answered
    return found


def _ask(function: str, arguments: Mapping[str, Any]) -> dict[str, _Kept]:
    # Late: mostly all answers are there.
    import subprocess
    import tempfile

    with tempfile.NamedTemporaryFile() as output:
        try:
            done = subprocess.run(  # noqa: S603 - ourselves
                [sys.executable, "-m", "factory.base.answers", function, output.name],
                input=json.dumps(list(arguments.values())),
                capture_output=True,
                text=True,
                timeout=_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise UnansweredError(
                f"{function} did not answer within {_SECONDS:.0f} s; something that it imports hangs"
            ) from None
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["without a word"])[-1]
            raise UnansweredError(f"{function} failed: {last}")
        found = json.load(output)
    return {
        key: _Kept(one["value"], {path: _looks(Path(path)) for path in one["files"]})
        for key, one in zip(arguments, found, strict=True)
    }


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
    own = sorted(f"{path} {_looks(path)}" for path in _FACTORY.rglob("*.py"))
    return sha256_of_json([sys.version, names, own])


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


def _answer(function: str, output: Path) -> None:
    """In the process of its own: ask a function about each argument that the standard input holds."""
    module, _, name = function.partition(":")
    asked = getattr(import_module(module), name)
    found: list[Reply] = [asked(argument) for argument in json.load(sys.stdin)]
    output.write_text(json.dumps([asdict(one) for one in found]))


if __name__ == "__main__":
    _answer(sys.argv[1], Path(sys.argv[2]))
