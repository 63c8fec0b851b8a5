"""Versions of entities' models: loaded when the first of their rows comes, and so many kept in memory at most."""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

from factory.base.errors import TerminalError
from factory.models import registry
from factory.models.tracking import Tracking
from factory.serving.limits import ServingLimits
from factory.serving.load_check import check_version
from factory.serving.loading import LoadedVersion, load
from factory.serving.metrics import ServingMetrics
from factory.serving.refusals import public_reason

logger = logging.getLogger(__name__)

_PAUSE = 10.0
"""Seconds until a version is tried again that could not be read, which may pass."""


class NotLoadedError(Exception):
    """A version does not answer; its text is shown to callers."""


@dataclass(frozen=True)
class _Refused:
    """Why a version does not answer."""

    reason: str
    again: float | None
    """When to try again, in seconds of the monotonic clock; None for never."""


@dataclass(frozen=True, eq=False)
class _Entry:
    """A version that is loaded, is being loaded, or was refused."""

    outcome: Future[LoadedVersion | _Refused] = field(default_factory=Future)

    @property
    def is_over(self) -> bool:
        """Whether it was refused for what may have passed by now."""
        if not self.outcome.done():
            return False
        found = self.outcome.result()
        again = found.again if isinstance(found, _Refused) else None
        return again is not None and time.monotonic() > again


class EntityVersions:
    """The versions in memory, those that were used last.

    Args:
        tracking: The MLflow server.
        metrics: Where loaded versions and failures are counted.
        settings: How many are kept, and what a version may take to load.
        read: What loads a version, by its model and number; tried in a process of its own first, if left out.
    """

    def __init__(
        self,
        tracking: Tracking,
        metrics: ServingMetrics,
        settings: ServingLimits,
        read: Callable[[str, int], LoadedVersion] | None = None,
    ) -> None:
        self._tracking = tracking
        self._metrics = metrics
        self._settings = settings
        self._read = read or self._read_checked
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, int], _Entry] = OrderedDict()

    def get(self, model: str, number: int) -> LoadedVersion:
        """A version that answers; it is loaded here if it is not in memory.

        Raises:
            NotLoadedError: It does not answer.
        """
        entry, is_new = self._entry((model, number))
        if is_new:
            self._load(entry, model, number)
        try:
            found = entry.outcome.result(self._settings.seconds)
        except TimeoutError:
            found = _Refused("it is still being loaded: ask again", None)
        if isinstance(found, _Refused):
            raise NotLoadedError(f"version {number} of {model} does not answer: {found.reason}")
        return found

    def _entry(self, key: tuple[str, int]) -> tuple[_Entry, bool]:
        with self._lock:
            found = self._kept.get(key)
            is_new = found is None or found.is_over
            entry = _Entry() if found is None or is_new else found
            self._kept[key] = entry
            self._kept.move_to_end(key)
            while len(self._kept) > self._settings.entity_versions:
                self._kept.popitem(last=False)
            self._metrics.entity_versions.set(len(self._kept))
            return entry, is_new

    def _load(self, entry: _Entry, model: str, number: int) -> None:
        try:
            entry.outcome.set_result(self._read(model, number))
        # Whatever reading a file raises: whoever waits is told, and the rows of other entities are answered.
        except Exception as error:
            logger.exception("%s version %d is refused", model, number)
            self._metrics.failed_loads.labels(model.rpartition(".")[0]).inc()
            is_final = isinstance(error, TerminalError)
            again = None if is_final else time.monotonic() + _PAUSE
            entry.outcome.set_result(_Refused(public_reason(error), again))

    def _read_checked(self, model: str, number: int) -> LoadedVersion:
        version = registry.version(model, number, tracking=self._tracking)
        check_version(version, tracking=self._tracking, settings=self._settings)
        return load(version, tracking=self._tracking, settings=self._settings)
