"""Read the body of a request that nobody vouches for."""

import asyncio

from fastapi import HTTPException, Request
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException
from starlette.types import Message

from factory.serving.images import FIELD, refusal
from factory.serving.limits import ServingLimits

_FORM = "multipart/form-data"
_MOST_PARTS = 8
"""Parts of a form that are looked at; all but one are refused anyhow, by name."""


async def read_body(request: Request, settings: ServingLimits) -> bytes:
    """The body, of which never more than the limit is held.

    Raises:
        HTTPException: 415, it is no JSON; 413, it is too long; 408, it does not arrive in time.
        starlette.requests.ClientDisconnect: Nobody waits for an answer any more.
    """
    if not _is_json(_kind(request)):
        raise HTTPException(415, "send JSON, with the header `Content-Type: application/json`")
    return await _read(request, settings, settings.most_bytes, "send fewer rows at a time")


async def read_image(request: Request, settings: ServingLimits, most_bytes: int) -> bytes:
    """The image of a request, or its rows in JSON; nothing has been looked at yet.

    An image comes as the one part `image` of a form, or as the body itself.

    Raises:
        HTTPException: As `read_body` does.
        RequestValidationError: The form holds something else; says what to send.
        starlette.requests.ClientDisconnect: Nobody waits for an answer any more.
    """
    kind = _kind(request)
    if kind != _FORM and not kind.startswith("image/") and not _is_json(kind):
        raise HTTPException(
            415,
            f"send an image as a form ({_FORM}) with one part `{FIELD}`, or as the body with a "
            "`Content-Type` of image/jpeg, image/png or image/webp",
        )
    body = await _read(request, settings, most_bytes, "send a smaller image")
    return await _image_of_form(request, body) if kind == _FORM else body


def _kind(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _is_json(kind: str) -> bool:
    return kind == "application/json" or kind.endswith("+json")


async def _read(request: Request, settings: ServingLimits, most: int, advice: str) -> bytes:
    _check_length(_announced(request), most, advice)
    body = bytearray()
    try:
        async with asyncio.timeout(settings.seconds):
            async for part in request.stream():
                body += part
                _check_length(len(body), most, advice)
    except TimeoutError:
        raise HTTPException(
            408, f"the body did not arrive within {settings.seconds:g} seconds"
        ) from None
    return bytes(body)


def _announced(request: Request) -> int:
    length = request.headers.get("content-length", "")
    return int(length) if length.isascii() and length.isdigit() else 0


def _check_length(length: int, most: int, advice: str) -> None:
    if length > most:
        raise HTTPException(
            413,
            f"the body is longer than {most} bytes: {advice}",
            # What is still on its way will not be read.
            headers={"Connection": "close"},
        )


async def _image_of_form(request: Request, body: bytes) -> bytes:
    """The content of the one part that a form may have; the whole of it is in memory by now."""

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    # Without the app, what is wrong comes out as it was raised, and not as a bare 400.
    scope = {name: value for name, value in request.scope.items() if name != "app"}
    try:
        parsed = Request(scope, receive)
        async with parsed.form(max_files=_MOST_PARTS, max_fields=_MOST_PARTS) as form:
            parts = form.multi_items()
            if len(parts) != 1 or parts[0][0] != FIELD:
                raise _wrong_parts([name for name, _ in parts])
            part = parts[0][1]
            if not isinstance(part, UploadFile):
                raise refusal(
                    "image_is_text",
                    f"`{FIELD}` must be a file: with curl, `-F {FIELD}=@cat.jpg` with an `@`",
                    FIELD,
                )
            return await part.read()
    except MultiPartException as error:
        raise refusal("form", f"the form cannot be read: {error.message}") from None


def _wrong_parts(names: list[str]) -> RequestValidationError:
    found = ", ".join(f"`{name}`" for name in names[:3]) or "nothing"
    what = f"send one part called `{FIELD}`, such as with `curl -F {FIELD}=@cat.jpg`"
    return refusal(
        "missing" if FIELD not in names else "too_many_parts",
        f"{what}; the form holds {found}{' and more' if len(names) > 3 else ''}",
        FIELD,
    )
