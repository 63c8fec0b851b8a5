"""The limits of a service; what comes from outside is bounded in size, time and number."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """What one service allows."""

    threads: int = 2
    """Predictions at once."""
    waiting: int = 256
    """Requests that may wait for a thread; more are told to come back."""
    most_rows: int = 1000
    """Rows of one request."""
    most_bytes: int = 4 * 1024 * 1024
    """Length of one request's body."""
    seconds: float = 30.0
    """For a body to arrive, and then for its prediction."""
    poll_seconds: float = 2.0
    """Between two questions to the model registry."""
    grace_seconds: int = 30
    """For requests to end after SIGTERM."""
