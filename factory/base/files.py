"""Files that are there whole or not at all."""

import errno
import json
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import Any, Protocol

from factory.base.errors import FactoryError

TEMPORARY = "ml-dag-factory."
"""What the names of temporary folders begin with, so that those of killed processes are found. A word that nobody
gives to a folder of their own: what has it is removed."""
UNFINISHED = ".unfinished-"
"""What the names of files begin with that are still being written."""


class ReadableBytes(Protocol):
    """Something to read bytes from, such as an open file."""

    def read(self, size: int, /) -> bytes:
        """At most so many bytes; none at the end."""


@contextmanager
def whole_file(file: Path, *, bytes_needed: int | None = None) -> Iterator[Path]:
    """The path to write to; on leaving without an error, what is there becomes `file`.

    It lies beside `file`, since a rename within a folder is one step. After an error it is removed,
    and `file` is what it was before.

    Args:
        file: The file to make or to replace; its folder is made if it is not there.
        bytes_needed: How large it will be, if that is known; what a full disk is measured against.

    Raises:
        DiskFullError: There is no room for it.
        NotWritableError: Its folder cannot be written to.
    """
    unfinished = unfinished_beside(file)
    try:
        with unwritable_explained(file, bytes_needed=bytes_needed, unfinished=unfinished):
            yield unfinished
            unfinished.replace(file)
    finally:
        unfinished.unlink(missing_ok=True)


def unfinished_beside(file: Path) -> Path:
    """A new path in the folder of a file, which is made if it is not there; nobody takes it for whole.

    Raises:
        NotWritableError: The folder cannot be made.
    """
    with unwritable_explained(file.parent):
        file.parent.mkdir(parents=True, exist_ok=True)
    return file.with_name(f"{UNFINISHED}{uuid.uuid4().hex}")


class DiskFullError(FactoryError):
    """A disk has no room for a file."""


class NotWritableError(FactoryError):
    """A folder cannot be written to."""


@contextmanager
def unwritable_explained(
    path: Path, *, bytes_needed: int | None = None, unfinished: Path | None = None
) -> Iterator[None]:
    """Say what to do where the disk is full within the block, or does not let this process write.

    Args:
        path: What is written: a file or a folder.
        bytes_needed: How much is written in all, if it is known.
        unfinished: The file that holds what is written so far, if there is one.

    Raises:
        DiskFullError: There is no room; says how much is missing, as far as that is known.
        NotWritableError: The folder is read-only, or another user's.
    """
    try:
        yield
    except OSError as error:
        # Without its cause: an errno says no more than these words.
        number = _number_of(error)
        if number in _FULL:
            written = unfinished.stat().st_size if unfinished and unfinished.exists() else 0
            left = None if bytes_needed is None else bytes_needed - written
            raise DiskFullError(_full(path, number, left)) from None
        if number in _NOT_WRITABLE:
            raise NotWritableError(
                f"{path} cannot be written ({os.strerror(number)}): let the user of this process write "
                "there, or name another place: `storage` and `workspace` in configs/_defaults.yaml"
            ) from None
        raise


_FULL = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the quota of this user is used up",
    errno.EFBIG: "no file may be that large here",
}
_RUST = re.compile(r"\(os error (\d+)\)")
_NOT_WRITABLE = (errno.EROFS, errno.EACCES, errno.EPERM)


def _number_of(error: OSError) -> int:
    """The errno of an error; libraries in Rust put it into the text alone."""
    found = _RUST.search(str(error))
    return error.errno or (int(found[1]) if found else 0)


def _full(path: Path, number: int, needed: int | None) -> str:
    folder = next(folder for folder in (path, *path.parents) if folder.is_dir())
    free = shutil.disk_usage(folder).free
    missing = ""
    if needed is not None and needed > free:
        missing = f", about {megabytes(needed - free)} more are needed"
    return (
        f"{path} cannot be written, since {_FULL[number]}: {megabytes(free)} are free{missing}. Make room, "
        "such as by `factory clean`, and run it again"
    )


def megabytes(count: int) -> str:
    """A number of bytes, as people read it: `1,234.5 MB`."""
    return f"{count / 1e6:,.1f} MB"


def copy_file(source: Path, target: Path) -> None:
    """Copy a file's content."""
    with whole_file(target, bytes_needed=source.stat().st_size) as unfinished:
        shutil.copyfile(source, unfinished)


def write_json(file: Path, value: Any) -> None:
    """Write a JSON value."""
    with whole_file(file) as unfinished:
        unfinished.write_text(json.dumps(value), encoding="utf-8")


def is_hidden(path: PurePath) -> bool:
    """Whether a part of a path starts with a dot; `..` does too."""
    return any(part.startswith(".") for part in path.parts)
