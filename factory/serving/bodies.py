"""Read the body of a request that nobody vouches for."""

import asyncio

from fastapi import HTTPException, Request

from factory.serving.settings import Settings


async def read_body(request: Request, settings: Settings) -> bytes:
    """The body, of which never more than the limit is held.

    Raises:
        HTTPException: 415, it is no JSON; 413, it is too long; 408, it does not arrive in time.
        starlette.requests.ClientDisconnect: Nobody waits for an answer any more.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" and not kind.endswith("+json"):
        raise HTTPException(415, "send JSON, with the header `Content-Type: application/json`")
    _check_length(_announced(request), settings)
    body = bytearray()
    try:
        async with asyncio.timeout(settings.seconds):
            async for part in request.stream():
                body += part
                _check_length(len(body), settings)
    except TimeoutError:
        raise HTTPException(
            408, f"the body did not arrive within {settings.seconds:g} seconds"
        ) from None
    return bytes(body)


def _announced(request: Request) -> int:
    length = request.headers.get("content-length", "")
    return int(length) if length.isascii() and length.isdigit() else 0


def _check_length(length: int, settings: Settings) -> None:
    if length > settings.most_bytes:
        raise HTTPException(
            413,
            f"the body is longer than {settings.most_bytes} bytes: send fewer rows at a time",
            # What is still on its way will not be read.
            headers={"Connection": "close"},
        )
