"""Images that nobody vouches for: what they are by their content, and whether they are whole."""

import warnings
from io import BytesIO

from fastapi.exceptions import RequestValidationError
from PIL import Image

from factory.serving.limits import RequestImageLimits

FIELD = "image"
"""The part of a form that holds the image."""

KINDS = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
"""The formats that are taken, by Pillow's names."""

_JPEG, _PNG = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"
_DRAFT = (64, 64)


def kind_of(content: bytes) -> str | None:
    """The content type of an image by its first bytes; None for what is none that is taken."""
    if content.startswith(_JPEG):
        return KINDS["JPEG"]
    if content.startswith(_PNG):
        return KINDS["PNG"]
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return KINDS["WEBP"]
    return None


def refusal(kind: str, message: str, *where: str | int) -> RequestValidationError:
    """What is wrong with an image, in the form of FastAPI's own 422."""
    return RequestValidationError([{"type": kind, "loc": ["body", *where], "msg": message}])


def check_image(content: bytes, limits: RequestImageLimits, *where: str | int) -> None:
    """Check that an image is of a format that is taken, not too large, and whole.

    It is decoded for that, at once and with little memory where the format allows: what fails here
    would fail within the model.

    Args:
        content: The file.
        limits: What it may be.
        where: The way to it in the body, for the message.

    Raises:
        RequestValidationError: It is none of that; says what to send.
    """
    if len(content) > limits.most_bytes:
        raise refusal(
            "image_too_long",
            f"the image is longer than {limits.most_bytes:,} bytes: send a smaller one",
            *where,
        )
    if not content:
        raise refusal("image_empty", "the image is empty: send a file's content", *where)
    if kind_of(content) is None:
        raise refusal(
            "image_format",
            "this is no image in JPEG, PNG or WebP, whatever its name says: convert it first",
            *where,
        )
    try:
        _decode(content, limits, where)
    except Image.DecompressionBombError:  # Of so many that Pillow itself does not go on.
        raise _too_many_pixels("far too many", limits, where) from None
    except (OSError, ValueError, SyntaxError, EOFError, MemoryError):
        raise refusal(
            "image_broken", "the image cannot be decoded: it is damaged or incomplete", *where
        ) from None


def _decode(content: bytes, limits: RequestImageLimits, where: tuple[str | int, ...]) -> None:
    with warnings.catch_warnings():
        # Ours is the lower limit.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        with Image.open(BytesIO(content), formats=tuple(KINDS)) as image:
            width, height = image.size
            if width * height <= limits.most_pixels:
                # Decodes a JPEG at an eighth of its size; the others know no such thing.
                image.draft("RGB", _DRAFT)
                image.load()
                return
    raise _too_many_pixels(f"{width:,} x {height:,}", limits, where)


def _too_many_pixels(
    found: str, limits: RequestImageLimits, where: tuple[str | int, ...]
) -> RequestValidationError:
    return refusal(
        "image_pixels",
        f"the image has {found} pixels, and {limits.most_pixels:,} in all are taken: send a "
        "smaller one",
        *where,
    )
