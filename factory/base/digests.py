"""SHA-256, in hexadecimal digits, of what is to be recognised again."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path


def sha256(content: str | bytes) -> str:
    """The digest of a text or of bytes."""
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()


def sha256_of_json(value: object) -> str:
    """The digest of a JSON value; the order of keys does not matter."""
    return sha256(json.dumps(value, sort_keys=True))


def sha256_of_file(file: Path) -> str:
    """The digest of a file's content, which need not fit into memory."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def sha256_of_folder(folder: Path, *, without: Iterable[str] = ()) -> str:
    """The digest of the names and contents of all files below a folder.

    Args:
        folder: The folder; its own name does not matter.
        without: Names, relative to the folder, of files that do not matter.
    """
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*")}
    lines = (
        f"{sha256_of_file(files[name])}  {name}\n"
        for name in sorted(files.keys() - set(without))
        if files[name].is_file()
    )
    return sha256("".join(lines))
