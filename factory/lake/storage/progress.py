"""How far the transfer of a large file is, in the log."""

import logging
import time

log = logging.getLogger(__name__)

PROGRESS_SECONDS = 10.0
"""Between two lines of the log."""


class Progress:
    """Counts the bytes of a transfer and logs them every ten seconds."""

    def __init__(self, what: str, total: int) -> None:
        self._what = what
        self._total = total
        self._done = 0
        self._last = time.monotonic()

    def add(self, count: int) -> None:
        """Count further bytes."""
        self._done += count
        if time.monotonic() - self._last < PROGRESS_SECONDS:
            return
        self._last = time.monotonic()
        log.info(
            "%s: %.1f of %.1f MB (%.0f %%)",
            self._what,
            self._done / 1e6,
            self._total / 1e6,
            100 * self._done / max(self._total, 1),
        )
