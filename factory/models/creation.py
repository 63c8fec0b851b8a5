"""What MLflow creates is created once, though its answer may be lost on the way.

MLflow's client asks again where no answer comes, and so makes a second run or version.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TypeVar

from mlflow.exceptions import MlflowException
from requests import RequestException

CREATION = "creation"
"""The tag by which something is found again whose creation was not answered."""

_RETRIES = "MLFLOW_HTTP_REQUEST_MAX_RETRIES"
_CREATIONS = 3

Made = TypeVar("Made")


def created_once(
    create: Callable[[], Made],
    find: Callable[[], Made | None],
    *,
    asked: Callable[[], AbstractContextManager[object]],
) -> Made:
    """What a call makes, made once.

    Args:
        create: Makes it.
        find: Finds it, if it was made; asked after an answer was lost.
        asked: `Tracking.asked` of the server.

    Raises:
        TrackingError: The server does not answer, or refuses.
    """
    for _ in range(_CREATIONS):
        with asked():
            try:
                with _asked_once():
                    return create()
            except (MlflowException, RequestException) as error:
                if not _may_have_happened(error):
                    raise
        found = find()
        if found is not None:
            return found
    with asked(), _asked_once():
        return create()


def is_unreachable(error: BaseException) -> bool:
    """Whether a call failed since the server did not answer."""
    return isinstance(error, RequestException) or isinstance(error.__context__, RequestException)


def no_answer(text: str) -> str:
    """What to do about a server that gave no answer of use.

    Args:
        text: What the client says of it, which may hold the address and a password.
    """
    locked = "something else, such as a backup, may keep its database locked"
    if "timed out" in text.lower():
        return (
            f"does not answer in time: it may have too much to do, or {locked}. It is tried again; "
            "MLFLOW_HTTP_REQUEST_TIMEOUT says how long to wait"
        )
    if "error responses" in text:
        return (
            f"fails by itself: {locked}, or its disk is full; its log says which. It is tried again"
        )
    return "does not answer: check that it runs, and that MLFLOW_TRACKING_URI is its address"


def _may_have_happened(error: BaseException) -> bool:
    """Whether a call that failed may have done its work all the same."""
    if is_unreachable(error):
        return True
    return isinstance(error, MlflowException) and error.get_http_status_code() >= 500


@contextmanager
def _asked_once() -> Iterator[None]:
    """Within the block, MLflow's client does not repeat what has no answer."""
    before = os.environ.get(_RETRIES)
    os.environ[_RETRIES] = "0"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_RETRIES]
        else:
            os.environ[_RETRIES] = before
