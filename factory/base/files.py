"""Files that are there whole or not at all."""

import json
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import Any, Protocol

UNFINISHED = ".unfinished-"
"""What the names of files begin with that are still being written."""


class ReadableBytes(Protocol):
    """Something to read bytes from, such as an open file."""

    def read(self, size: int, /) -> bytes:
        """At most so many bytes; none at the end."""


@contextmanager
def whole_file(file: Path) -> Iterator[Path]:
    """The path to write to; on leaving without an error, what is there becomes `file`.

    It lies beside `file`, since a rename within a folder is one step. After an error it is removed,
    and `file` is what it was before.

    Args:
        file: The file to make or to replace; its folder is made if it is not there.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_name(f"{UNFINISHED}{uuid.uuid4().hex}")
    try:
        yield unfinished
        unfinished.replace(file)
    finally:
        unfinished.unlink(missing_ok=True)


def copy_file(source: Path, target: Path) -> None:
    """Copy a file's content."""
    with whole_file(target) as unfinished:
        shutil.copyfile(source, unfinished)


def write_json(file: Path, value: Any) -> None:
    """Write a JSON value."""
    with whole_file(file) as unfinished:
        unfinished.write_text(json.dumps(value), encoding="utf-8")


def is_hidden(path: PurePath) -> bool:
    """Whether a part of a path starts with a dot; `..` does too."""
    return any(part.startswith(".") for part in path.parts)
