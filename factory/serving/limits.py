"""The limits of a service; what comes from outside is bounded in size, time and number."""

from dataclasses import dataclass, field
from pathlib import Path


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
    entity_versions: int = 64
    """Versions of entities' models in memory, those that were used last."""
    load_seconds: float = 120.0
    """For a new version to load and to predict its input example, in a process of its own."""
    load_bytes: int = 8 * 1024**3
    """Memory, as addresses, that this process may take."""
    head_seconds: float = 10.0
    """For the head of a request to arrive, from the first look at its connection."""
    most_unfinished: int = 100
    """Connections of one caller whose request's head is not there yet; the oldest goes first."""
    most_unfinished_of_all: int = 500
    """Those of all callers together: half of the connections that the service holds."""
    grace_seconds: int = 30
    """For requests to end after SIGTERM."""


@dataclass(frozen=True)
class Callers:
    """Whom a service answers."""

    hosts: tuple[str, ...] = ()
    """Names, beside the loopback interface's own, by which callers may know the service; a page of somebody
    else's in a browser on this machine knows it by another."""
    token_file: Path | None = None
    """Where the tokens are of which a caller brings one; None for no tokens."""
