"""Images for tests: drawn here, so that nothing needs a licence."""

import io
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from factory.data.folders import DataFolders
from factory.data.rows import Rows
from factory.data.sources.images import ImagesSource
from factory.data.sources.source import IngestContext
from factory.lake.table import Lake
from tests.data.rows import lake_in

COLUMNS = ("path", "label", "image", "format", "width", "height", "bytes")


def image(
    color: Any = "red", size: tuple[int, int] = (40, 30), kind: str = "PNG", mode: str = "RGB"
) -> bytes:
    """An image of a cross on a plain ground."""
    image = Image.new(mode, size, color)
    for at in range(min(size)):
        image.putpixel((at, at), 255 if mode == "L" else (0,) * len(mode))
    return encoded(image, kind)


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    target = io.BytesIO()
    image.save(target, kind, **options)
    return target.getvalue()


def bomb() -> bytes:
    """A PNG of some hundred bytes that says it has 2.5 thousand million pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    content = chunk(b"IDAT", zlib.compress(bytes(1000)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + content + chunk(b"IEND", b"")


def write(folder: Path, content: Mapping[str, bytes]) -> Path:
    for name, data in content.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    return folder


PETS = {
    "cats/1.png": image("red"),
    "cats/2.jpg": image("orange", kind="JPEG"),
    "dogs/1.webp": image("blue", (20, 50), kind="WEBP"),
    "dogs/2.PNG": image(90, mode="L"),
}


def source(**keys: Any) -> ImagesSource:
    return ImagesSource.model_validate({"type": "images", **keys})


def pets(
    project: Path, workspace: Path | None = None, lake: Lake | None = None, **keys: Any
) -> Rows:
    """The rows of a folder `pets` of the project, or of what `keys` name."""
    workspace = workspace or project / "workspace"
    workspace.mkdir(exist_ok=True)
    if not {"path", "url", "prefix"} & keys.keys():
        keys["path"] = "pets"
    context = IngestContext(
        DataFolders(project, (".",)),
        workspace,
        "pets",
        lake or lake_in(project),
        internal_hosts=("*",),
    )
    return source(**keys).ingest(context)
