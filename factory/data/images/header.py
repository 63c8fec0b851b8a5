"""What a file is, as Pillow reads it: only formats of pictures, and never more pixels than allowed."""

import warnings
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, UnidentifiedImageError

EXTENSIONS = {
    "jpeg": "jpg",
    "png": "png",
    "webp": "webp",
    "gif": "gif",
    "bmp": "bmp",
    "tiff": "tif",
}
"""The formats that are read, and what names of their files end with."""

# Pillow knows dozens of formats, some of which start other programs.
FORMATS = tuple(name.upper() for name in EXTENSIONS)


class UnreadableImageError(Exception):
    """A file that is no picture, or a broken one, or one with too many pixels."""


@dataclass(frozen=True)
class Header:
    """What is known of a picture that can be decoded."""

    format: str
    """`jpeg`, `png`, `webp`, `gif`, `bmp` or `tiff`."""
    width: int
    height: int


def look(file: Path, max_pixels: int) -> Header:
    """What a file is. All of it is decoded, JPEG at an eighth of its size.

    Raises:
        UnreadableImageError: It cannot be decoded, or has too many pixels and is not decoded.
    """
    try:
        with warnings.catch_warnings():
            # About pixels, which are counted here, and about odd metadata.
            warnings.simplefilter("ignore")
            with Image.open(file, formats=FORMATS) as image:
                header = Header(format_of(image), image.width, image.height)
                check_pixels(image, max_pixels)
                image.draft(None, (1, 1))
                image.load()
                return header
    except UnidentifiedImageError as error:
        raise UnreadableImageError("no picture") from error
    except UnreadableImageError:
        raise
    # A broken file makes decoders raise nearly anything.
    except Exception as error:
        raise UnreadableImageError(str(error) or type(error).__name__) from error


def format_of(image: Image.Image) -> str:
    """The format as `Header` says it."""
    # Cameras write JPEG files that hold further pictures behind the first.
    return "jpeg" if image.format == "MPO" else str(image.format).lower()


def check_pixels(image: Image.Image, max_pixels: int) -> None:
    """Check a picture's size, which its header tells, before it is decoded.

    Raises:
        UnreadableImageError: It has too many pixels.
    """
    if image.width * image.height > max_pixels:
        raise UnreadableImageError(
            f"{image.width:,} x {image.height:,} pixels are more than `max_pixels` {max_pixels:,}"
        )
