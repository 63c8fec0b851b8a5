"""The limits of a service; what comes from outside is bounded in size, time and number."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class RequestImageLimits:
    """What one image may be."""

    most_bytes: int = 10 * 1024 * 1024
    """Of its file."""
    most_pixels: int = 50_000_000
    """Width times height: a small file can hold an image that fills the memory."""


@dataclass(frozen=True)
class ServingLimits:
    """What one service allows."""

    threads: int = 2
    """Predictions at once."""
    waiting: int = 256
    """Requests that may wait for a thread; more are told to come back."""
    most_rows: int = 1000
    """Rows of one request."""
    most_bytes: int = 4 * 1024 * 1024
    """Length of one request's body, if it holds rows."""
    images: RequestImageLimits = field(default_factory=RequestImageLimits)
    """What images may be, for models that take one."""
    seconds: float = 30.0
    """For a body to arrive, and then for its prediction."""
    poll_seconds: float = 2.0
    """Between two questions to the model registry."""
    grace_seconds: int = 30
    """For requests to end after SIGTERM."""
