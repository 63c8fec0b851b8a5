"""How far a transfer is, said now and then."""

import logging
import threading
import time

log = logging.getLogger(__name__)

SECONDS = 10.0
"""Between two lines of the log."""


class Progress:
    """Counts bytes, which threads report, and logs them every ten seconds."""

    def __init__(self, what: str, total: int) -> None:
        """Begin to count.

        Args:
            what: Such as `uploading a to b`.
            total: Bytes of the whole.
        """
        self._what = what
        self._total = total
        self._done = 0
        self._last = time.monotonic()
        self._lock = threading.Lock()

    def __call__(self, count: int) -> None:
        """Count further bytes; negative ones where a part is sent again."""
        with self._lock:
            self._done += count
            if time.monotonic() - self._last < SECONDS:
                return
            self._last = time.monotonic()
            done = self._done
        log.info(
            "%s: %.1f of %.1f MB (%.0f %%)",
            self._what,
            done / 1e6,
            self._total / 1e6,
            100 * done / max(self._total, 1),
        )
