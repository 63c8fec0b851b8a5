"""Archives for tests, poisoned ones too."""

import io
import stat
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path


def tar_of(file: Path, content: Mapping[str, bytes]) -> Path:
    with tarfile.open(file, "w:gz" if file.suffix == ".gz" else "w") as tar:
        for name, data in content.items():
            add(tar, name, data)
    return file


def zip_of(file: Path, content: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return file


def add(tar: tarfile.TarFile, name: str, data: bytes = b"") -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    tar.addfile(entry, io.BytesIO(data))


def special(file: Path, change: Callable[[tarfile.TarInfo], None]) -> Path:
    """A tar of one good file and one entry that is no file."""
    with tarfile.open(file, "w") as tar:
        add(tar, "good.txt", b"good")
        entry = tarfile.TarInfo("bad")
        change(entry)
        tar.addfile(entry)
    return file


def zip_entry(file: Path, name: str, mode: int = stat.S_IFREG | 0o600, data: bytes = b"x") -> Path:
    entry = zipfile.ZipInfo(name)
    entry.external_attr = mode << 16
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(entry, data)
    return file
