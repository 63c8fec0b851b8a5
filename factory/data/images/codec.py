"""Images decoded and encoded by Pillow: only formats of images, never more pixels than allowed."""

import warnings
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Literal

from PIL import Image, ImageOps, UnidentifiedImageError

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

_WRITABLE = {"jpeg", "png", "webp"}


class UnreadableImageError(Exception):
    """A file that is no image, or a broken one, or one with too many pixels."""


@dataclass(frozen=True)
class Header:
    """What is known of an image that can be decoded."""

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
        raise UnreadableImageError("no image") from error
    except UnreadableImageError:
        raise
    # A broken file makes decoders raise nearly anything.
    except Exception as error:
        raise UnreadableImageError(str(error) or type(error).__name__) from error


def format_of(image: Image.Image) -> str:
    """The format as `Header` says it."""
    # Cameras write JPEG files that hold further images behind the first.
    return "jpeg" if image.format == "MPO" else str(image.format).lower()


def check_pixels(image: Image.Image, max_pixels: int) -> None:
    """Check an image's size, which its header tells, before it is decoded.

    Raises:
        UnreadableImageError: It has too many pixels.
    """
    if image.width * image.height > max_pixels:
        raise UnreadableImageError(
            f"{image.width:,} x {image.height:,} pixels are more than `max_pixels` {max_pixels:,}"
        )


def remake(
    content: bytes,
    *,
    size: tuple[int, int] | None,
    fit: Literal["fit", "fill", "exact"],
    convert: str | None,
    mode: str | None,
    quality: int,
) -> tuple[bytes, str, tuple[int, int]]:
    """An image's new bytes, their format, and width and height.

    The image is turned as its metadata say, and loses them. What is transparent becomes white
    where the new image has no transparency.

    Args:
        content: The bytes.
        size: Width and height; None to keep those that it has.
        fit: How the size is met: see `Resize` of the transform.
        convert: The new format; None to keep the one that it has, where that can be written.
        mode: Pillow's name of the colours; None to keep what the format can hold.
        quality: Of JPEG and WebP, 1 to 100.

    Raises:
        OSError: The bytes are no image, or a broken one; Pillow raises others too.
    """
    with Image.open(BytesIO(content), formats=FORMATS) as opened:
        kind = convert or _kept_format(opened, mode)
        if size is not None:
            # A JPEG is decoded at an eighth, a quarter or half of its size, where that is enough.
            scale = max(size) / min(opened.size)
            opened.draft(None, (2 * round(opened.width * scale), 2 * round(opened.height * scale)))
        image = _in_mode(ImageOps.exif_transpose(opened), mode, kind)
    if size is not None:
        image = _resized(image, size, fit)
    target = BytesIO()
    # Named one by one: what Pillow keeps of the file that it read would be written otherwise.
    image.info.clear()
    if kind == "png":
        image.save(target, "PNG")
    else:
        image.save(target, kind.upper(), quality=quality)
    return target.getvalue(), kind, image.size


def _kept_format(image: Image.Image, mode: str | None) -> str:
    """The format that an image keeps, where that can be written and holds what is asked for."""
    kind = format_of(image)
    if kind not in _WRITABLE or (kind == "jpeg" and mode == "RGBA"):
        return "png"
    return kind


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


def _resized(
    image: Image.Image, size: tuple[int, int], fit: Literal["fit", "fill", "exact"]
) -> Image.Image:
    match fit:
        case "fit":
            scale = min(size[0] / image.width, size[1] / image.height)
            width, height = round(image.width * scale), round(image.height * scale)
            return image.resize((max(1, width), max(1, height)), Image.Resampling.BICUBIC)
        case "fill":
            return ImageOps.fit(image, size)
        case "exact":
            return image.resize(size, Image.Resampling.BICUBIC)
