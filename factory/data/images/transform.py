"""Pictures made anew: in another size, format or mode, with new bytes in new rows."""

import logging
import os
from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image, ImageOps

from factory.base.parallel import in_order
from factory.data.columns import require_columns
from factory.data.images.header import EXTENSIONS, FORMATS, format_of
from factory.data.images.store import ImageError, ImageStore
from factory.data.sql import Rows, write_rows
from factory.data.transforms.sections import ImagesTransform, Resize
from factory.lake import engine

log = logging.getLogger(__name__)

_ROWS_AT_ONCE = 1000
_AT_ONCE = min(4, os.cpu_count() or 1)
_SHOWN = 5
_WRITABLE = {"jpeg", "png", "webp"}


def transform_images(
    step: ImagesTransform, what: str, rows: Rows, file: Path, store: ImageStore
) -> Rows:
    """The same rows with new pictures; a row whose picture cannot be read stays as it is.

    Columns `image`, `format`, `width`, `height` and `bytes` say what the new pictures are, where
    the rows have them; all other columns stay.

    Args:
        step: What to do with each picture.
        what: What the step is called, for errors.
        rows: Rows with a column `image`.
        file: The file to make.
        store: Where bytes come from and go to.

    Raises:
        TerminalError: There is no column `image`, or a picture is gone or has been changed.
    """
    require_columns(["image"], list(rows.columns), what)
    made = file.with_name(f"{file.stem}.made.parquet")
    work = _Work(step, store)
    try:
        with (
            pq.ParquetFile(rows.file) as before,
            pq.ParquetWriter(made, before.schema_arrow) as writer,
        ):
            for batch in before.iter_batches(_ROWS_AT_ONCE):
                writer.write_batch(work.done(batch))
        with engine.connect(file.parent) as connection:
            engine.create_view(connection, "made", [made])
            after = write_rows(connection.table("made"), file)
    finally:
        made.unlink(missing_ok=True)
    work.finish(what, after.rows)
    return after


class _Work:
    def __init__(self, step: ImagesTransform, store: ImageStore) -> None:
        self.step = step
        self.store = store
        self.unreadable: list[str] = []

    def done(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        rows = batch.to_pylist()
        new = [{**row, **changes} for row, changes in self._changes(rows)]
        return pa.RecordBatch.from_pylist(new, batch.schema)

    def finish(self, what: str, rows: int) -> None:
        if self.unreadable:
            log.warning(
                "%s: %d of %d pictures cannot be read and stay as they are: %s",
                what,
                len(self.unreadable),
                rows,
                ", ".join(self.unreadable[:_SHOWN]),
            )

    def _changes(
        self, rows: list[dict[str, Any]]
    ) -> Iterator[tuple[dict[str, Any], Mapping[str, Any]]]:
        for row, made in in_order(rows, self._make, at_once=_AT_ONCE):
            if made is None:
                self.unreadable.append(str(row.get("path") or row["image"]))
            # Only columns that there are: a query may have left some out.
            yield row, {name: value for name, value in (made or {}).items() if name in row}

    def _make(self, row: Mapping[str, Any]) -> dict[str, Any] | None:
        if row["image"] is None or row.get("format", "") is None:
            return None
        content = self.store.read(row["image"])
        try:
            made, kind, (width, height) = remake(content, self.step)
        # A broken file makes decoders raise nearly anything.
        except Exception as error:
            if "format" in row:
                raise ImageError(
                    f"{row.get('path') or row['image']} could be read before and cannot be "
                    f"changed: {error}"
                ) from error
            return None
        stored = self.store.add_bytes(made, EXTENSIONS[kind])
        return {
            "image": stored.address,
            "format": kind,
            "width": width,
            "height": height,
            "bytes": stored.bytes,
        }


def remake(content: bytes, step: ImagesTransform) -> tuple[bytes, str, tuple[int, int]]:
    """A picture's new bytes, their format, and width and height.

    The picture is turned as its metadata say, and loses them. What is transparent becomes white
    where the new picture has no transparency.

    Raises:
        OSError: The bytes are no picture, or a broken one; Pillow raises others too.
    """
    with Image.open(BytesIO(content), formats=FORMATS) as opened:
        kind = step.convert or _format(opened, step)
        if step.resize is not None:
            # A JPEG is decoded at an eighth, a quarter or half of its size, where that is enough.
            box = _box(opened, step.resize)
            opened.draft(None, (2 * box[0], 2 * box[1]))
        image = _in_mode(ImageOps.exif_transpose(opened), step.mode, kind)
    if step.resize is not None:
        image = _resized(image, step.resize)
    target = BytesIO()
    # Named one by one: what Pillow keeps of the file that it read would be written otherwise.
    image.info.clear()
    if kind == "png":
        image.save(target, "PNG")
    else:
        image.save(target, kind.upper(), quality=step.quality)
    return target.getvalue(), kind, image.size


def _format(image: Image.Image, step: ImagesTransform) -> str:
    """The format that a picture keeps, where that can be written and holds what is asked for."""
    kind = format_of(image)
    if kind not in _WRITABLE or (kind == "jpeg" and step.mode == "RGBA"):
        return "png"
    return kind


def _box(image: Image.Image, resize: Resize) -> tuple[int, int]:
    """The size that a whole picture has once it is resized; of either way up."""
    scale = max(resize.width, resize.height) / min(image.size)
    return round(image.width * scale), round(image.height * scale)


def _in_mode(image: Image.Image, mode: str | None, kind: str) -> Image.Image:
    transparent = image.has_transparency_data
    wanted = mode or ("L" if image.mode in ("1", "L", "LA") else "RGB")
    if mode is None and transparent and kind != "jpeg":
        wanted = "RGBA"
    if transparent and wanted != "RGBA":
        above = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", above.size, "white"), above)
    if image.mode.startswith("I;16"):
        # Pillow would cut values off at 255.
        image = image.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    return image if image.mode == wanted else image.convert(wanted)


def _resized(image: Image.Image, resize: Resize) -> Image.Image:
    size = (resize.width, resize.height)
    match resize.mode:
        case "fit":
            scale = min(resize.width / image.width, resize.height / image.height)
            width, height = round(image.width * scale), round(image.height * scale)
            return image.resize((max(1, width), max(1, height)), Image.Resampling.BICUBIC)
        case "fill":
            return ImageOps.fit(image, size)
        case "exact":
            return image.resize(size, Image.Resampling.BICUBIC)
