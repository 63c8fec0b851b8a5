"""The machine: room for snapshots and for the scratch space of runs."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from factory.diagnosis.finding import Diagnosis, Examined
from factory.lake.storage.address import local_path

_GIB = 1024**3
_LITTLE, _TOO_LITTLE = 5 * _GIB, 1 * _GIB


def check_disk(examined: Examined) -> Iterator[Diagnosis]:
    """How much is free where snapshots and scratch space lie."""
    lake = local_path(examined.installation.storage)
    folders = {"workspace": Path(examined.installation.workspace)}
    if lake is not None:
        folders = {"lake": lake, **folders}
    for name, folder in folders.items():
        yield of_space(f"disk of the {name}", shutil.disk_usage(_existing(folder)).free)


def of_space(subject: str, free: int) -> Diagnosis:
    """What to say of so many free bytes."""
    text = f"{free / _GIB:.1f} GiB free"
    advice = "make room, or take away what killed runs left over: `factory clean`"
    if free < _TOO_LITTLE:
        return Diagnosis(subject, "wrong", text, advice)
    return (
        Diagnosis(subject, "warning", text, advice)
        if free < _LITTLE
        else Diagnosis(subject, "ok", text)
    )


def _existing(folder: Path) -> Path:
    """The folder, or the first one above it that is there."""
    return next(path for path in (folder, *folder.parents) if path.exists())
