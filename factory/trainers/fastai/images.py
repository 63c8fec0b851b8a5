"""Encoded images into arrays of one size, decoded when they are asked for."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from itertools import islice
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image, ImageOps

from factory.base.digests import sha256
from factory.base.errors import TerminalError

MOST_PIXELS = 50_000_000
"""Width times height of an image at most; its header is asked before anything is decoded."""

# Pillow knows dozens of formats, some of which start other programs.
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")


class UnreadableRowError(TerminalError):
    """A row whose image cannot be decoded."""


@dataclass(frozen=True)
class EncodedImages:
    """A column of encoded images, as RGB arrays of one size."""

    column: "pd.Series[Any]"
    size: int
    method: Literal["crop", "squish", "pad"]

    def __len__(self) -> int:
        return len(self.column)

    def __getitem__(self, place: int) -> NDArray[np.uint8]:
        """Height x width x 3, from 0 to 255.

        Raises:
            UnreadableImageError: The row has no image, or a broken one, or one of too many pixels.
        """
        content = self.column.iloc[place]
        if not isinstance(content, bytes):
            raise UnreadableRowError(f"row {place}: {self.column.name!r} holds no image")
        try:
            return decode(content, self.size, self.method)
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            # Images are stored by their content's hash: whoever reads this finds the file by it.
            raise UnreadableRowError(
                f"row {place}: the image in {self.column.name!r} (SHA-256 {sha256(content)}) cannot be "
                f"decoded: {error}. Take it out with the check `readable`, or in a transform"
            ) from error

    def stack(self, places: Sequence[int], threads: int = 0) -> NDArray[np.uint8]:
        """Several images: how many x height x width x 3; decoded by so many threads beside this one."""
        return np.stack(list(in_order(self.__getitem__, places, threads, ahead=len(places))))


def in_order(
    work: Callable[[Any], Any], things: Iterable[Any], threads: int, *, ahead: int
) -> Iterator[Any]:
    """What comes of things, in their order, worked on by threads ahead of whoever asks.

    Args:
        work: What is done with each.
        things: Asked for one after the other.
        threads: How many; none if 0.
        ahead: How many things may be worked on before they are asked for.
    """
    if not threads:
        yield from map(work, things)
        return
    things = iter(things)
    with ThreadPoolExecutor(threads, thread_name_prefix="decode") as pool:
        running = deque(pool.submit(work, thing) for thing in islice(things, ahead))
        try:
            while running:
                yield running.popleft().result()
                running.extend(pool.submit(work, thing) for thing in islice(things, 1))
        finally:
            pool.shutdown(cancel_futures=True)


def decode(
    content: bytes, size: int, method: Literal["crop", "squish", "pad"]
) -> NDArray[np.uint8]:
    """An encoded image as an RGB array of height and width `size`.

    Args:
        content: The image, encoded.
        size: Pixels.
        method: `crop` keeps the middle of the longer side, `squish` changes the shape, `pad` adds
            black borders.

    Raises:
        OSError: It is no image of a known format, or is broken.
        ValueError: It has too many pixels.
    """
    with Image.open(BytesIO(content), formats=_FORMATS) as image:
        width, height = image.size
        if width * height > MOST_PIXELS:
            raise ValueError(f"it has {width} x {height} pixels, more than {MOST_PIXELS:,}")
        # Only JPEG can: decoding at half or a quarter of the size is several times as fast.
        image.draft("RGB", (2 * size, 2 * size))
        upright = ImageOps.exif_transpose(image).convert("RGB")
    return np.asarray(_square(upright, size, method))


def _square(image: Image.Image, size: int, method: str) -> Image.Image:
    bilinear = Image.Resampling.BILINEAR
    if method == "crop":
        return ImageOps.fit(image, (size, size), bilinear)
    if method == "pad":
        return ImageOps.pad(image, (size, size), bilinear)
    return image.resize((size, size), bilinear)
