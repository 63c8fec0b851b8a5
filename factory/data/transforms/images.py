"""`transforms: [{type: images}]`."""

import logging
import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field
from pydantic_core import PydanticCustomError

from factory.base.parallel import in_order
from factory.base.rules import Broken, rule
from factory.base.section import Section
from factory.data.images.store import ImageError, ImageStore
from factory.data.transforms.transform import Transform, TransformContext

if TYPE_CHECKING:
    import pyarrow as pa

    from factory.data.rows import Rows

log = logging.getLogger(__name__)

_ROWS_AT_ONCE = 1000
_AT_ONCE = min(4, os.cpu_count() or 1)
_SHOWN = 5


class Resize(Section):
    """How images are brought to a size, in pixels.

    `fit` keeps the proportions and stays within width and height, `fill` keeps them and cuts off
    what is too much, `exact` stretches.
    """

    width: int = Field(ge=1, le=10_000)
    """In pixels: the new width, with `mode: fit` the most that it may be."""
    height: int = Field(ge=1, le=10_000)
    """In pixels: the new height, with `mode: fit` the most that it may be."""
    mode: Literal["fit", "fill", "exact"] = "fit"
    """`fit` keeps the proportions and stays within width and height, `fill` keeps them and cuts off what is too much,
    `exact` stretches."""


class ImagesTransform(Transform):
    """Images made anew: resized, in one format, in one mode; turned upright, without metadata."""

    keeps_columns: ClassVar[bool] = True

    type: Literal["images"]
    resize: Resize | None = None
    """The size that images are brought to; they keep theirs when left out."""
    convert: Literal["png", "jpeg", "webp"] | None = None
    """The format of the new images. When left out, JPEG, PNG and WebP stay what they are, and others become PNG."""
    quality: int = Field(default=90, ge=1, le=100)
    """How closely a JPEG or WebP keeps to the original, from 1 to 100."""
    mode: Literal["RGB", "L", "RGBA"] | None = None
    """The colours: `L` is grey, `RGBA` has transparency, which JPEG has not."""

    @rule
    def _something(self) -> Broken:
        if self.resize is None and self.convert is None and self.mode is None:
            yield PydanticCustomError("images", "write what to do: `resize`, `convert` or `mode`")
        if self.convert == "jpeg" and self.mode == "RGBA":
            yield PydanticCustomError(
                "images",
                "JPEG holds no transparency: write `mode: RGB`, or convert to png or webp",
                {"at": ("mode",)},
            )

    def apply(self, context: TransformContext) -> "Rows":
        """The same rows with new images; a row whose image cannot be read stays as it is.

        Columns `image`, `format`, `width`, `height` and `bytes` say what the new images are, where
        the rows have them; all other columns stay.

        Raises:
            TerminalError: There is no column `image`, or an image is gone or has been changed.
        """
        import pyarrow.parquet as pq

        from factory.data.columns import require_columns
        from factory.data.rows import write_rows
        from factory.lake import engine

        rows, file = context.rows, context.file
        require_columns(["image"], list(rows.columns), context.what)
        made = file.with_name(f"{file.stem}.made.parquet")
        remaking = _Remaking(self, ImageStore(file.parent, context.team, context.lake))
        try:
            with (
                pq.ParquetFile(rows.file) as before,
                pq.ParquetWriter(made, before.schema_arrow) as writer,
            ):
                for batch in before.iter_batches(_ROWS_AT_ONCE):
                    writer.write_batch(remaking.batch(batch))
            with engine.connect(file.parent) as connection:
                engine.create_view(connection, "made", [made])
                after = write_rows(connection.table("made"), file)
        finally:
            made.unlink(missing_ok=True)
        remaking.finish(context.what, after.rows)
        return after


class _Remaking:
    """Makes the images of one run anew, some at a time, and counts those that cannot be read."""

    def __init__(self, step: ImagesTransform, store: ImageStore) -> None:
        self.step = step
        self.store = store
        self.unreadable: list[str] = []

    def batch(self, batch: "pa.RecordBatch") -> "pa.RecordBatch":
        import pyarrow as pa

        rows = batch.to_pylist()
        new = [{**row, **changes} for row, changes in self._changes(rows)]
        return pa.RecordBatch.from_pylist(new, batch.schema)

    def finish(self, what: str, rows: int) -> None:
        if self.unreadable:
            log.warning(
                "%s: %d of %d images cannot be read and stay as they are: %s",
                what,
                len(self.unreadable),
                rows,
                ", ".join(self.unreadable[:_SHOWN]),
            )

    def _changes(
        self, rows: list[dict[str, Any]]
    ) -> Iterator[tuple[dict[str, Any], Mapping[str, Any]]]:
        for row, made in in_order(rows, self._remake, at_once=_AT_ONCE):
            if made is None:
                self.unreadable.append(str(row.get("path") or row["image"]))
            # Only columns that there are: a query may have left some out.
            yield row, {name: value for name, value in (made or {}).items() if name in row}

    def _remake(self, row: Mapping[str, Any]) -> dict[str, Any] | None:
        from factory.data.images.codec import EXTENSIONS, remake

        if row["image"] is None or row.get("format", "") is None:
            return None
        content = self.store.read(row["image"])
        step, size = self.step, self.step.resize
        try:
            made, kind, (width, height) = remake(
                content,
                size=(size.width, size.height) if size else None,
                fit=size.mode if size else "fit",
                convert=step.convert,
                mode=step.mode,
                quality=step.quality,
            )
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
