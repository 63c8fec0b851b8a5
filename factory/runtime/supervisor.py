"""Keeps the processes of a runtime running: what dies, or stands still, is started again."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass

import psutil

from factory.base.processes import kill
from factory.runtime.errors import ComponentDiedError, EmbeddedRuntimeError
from factory.runtime.processes import Component

PERIOD = 0.5
"""Seconds between two looks at the processes."""
STANDSTILL = 8.0
"""Seconds after which a process that was stopped (SIGSTOP) counts as dead."""
STEADY = 60.0
"""Seconds after which a component that ends has not merely failed to start."""
DEATHS = 5
"""So many deaths in a row, none of them after steady running, and there is no sense in a further start."""
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 8.0

OnEvent = Callable[[str], None]
"""Called with a sentence for the terminal, from a thread of the supervisor's own."""


@dataclass
class _Record:
    """What happened to one component so far."""

    started: float
    deaths: int = 0
    due: float | None = None
    """When it is to be started again; None while it runs."""


class Supervisor(threading.Thread):
    """Looks after components until it is told to stop, or gives one up."""

    def __init__(
        self,
        components: Mapping[str, Component],
        *,
        start_again: Callable[[str], object],
        members: Callable[[str], Iterable[psutil.Process]],
        is_ours: Callable[[psutil.Process], bool],
        on_event: OnEvent,
    ) -> None:
        """Nothing is looked at before `start`.

        Args:
            components: By name; a component that is started again takes the place of the dead one in it.
            start_again: Starts a component.
            members: What is alive of a component that has died: what it had started.
            is_ours: Whether a process belongs to this runtime.
            on_event: Told about deaths and starts.
        """
        super().__init__(name="supervisor", daemon=True)
        self.failure: EmbeddedRuntimeError | None = None
        self._components = components
        self._start_again = start_again
        self._members = members
        self._is_ours = is_ours
        self._on_event = on_event
        self._stopping = threading.Event()
        now = time.monotonic()
        self._records = {name: _Record(now) for name in components}
        self._still: dict[psutil.Process, float] = {}

    def run(self) -> None:
        """Look at all processes, again and again."""
        try:
            while not self.failure and not self._stopping.wait(PERIOD):
                self._end_what_stands_still()
                for name in self._records:
                    self._look_after(name)
        except (OSError, psutil.Error) as error:
            self.failure = EmbeddedRuntimeError(
                f"components can no longer be looked after: {error}"
            )

    def stop(self) -> None:
        """Start nothing any more; returns when nothing is being started."""
        self._stopping.set()
        if self.is_alive():
            self.join()

    def _tell(self, sentence: str) -> None:
        # A terminal that was closed is no reason to stop what runs without it.
        with suppress(OSError):
            self._on_event(sentence)

    def _look_after(self, name: str) -> None:
        record, now = self._records[name], time.monotonic()
        if record.due is not None:
            if now >= record.due:
                record.started, record.due = now, None
                self._start_again(name)
            return
        component = self._components[name]
        code = component.process.poll()
        if code is None:
            return
        kill(self._members(name))  # they hold its port, or run tasks that nobody waits for
        record.deaths = 1 if now - record.started > STEADY else record.deaths + 1
        died = ComponentDiedError(name, code, component.log, component.tail())
        if record.deaths >= DEATHS:
            self.failure = died
            self._tell(f"{name} {died.ending}, {DEATHS} times in a row: this ends here.")
            return
        pause = min(_FIRST_PAUSE * 2 ** (record.deaths - 1), _LONGEST_PAUSE)
        record.due = now + pause
        self._tell(
            f"{name} {died.ending}; it is started again in {pause:g} s. Its log: {component.log}"
        )

    def _end_what_stands_still(self) -> None:
        """End processes that somebody stopped and left so: to those who wait for them they are as good as dead."""
        now = time.monotonic()
        still = {}
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.status() == psutil.STATUS_STOPPED and self._is_ours(process):
                    still[process] = self._still.get(process, now)
        overdue = [process for process, since in still.items() if now - since > STANDSTILL]
        for process in overdue:
            self._tell(f"process {process.pid} was stopped for {STANDSTILL:g} s; it is ended.")
        kill(overdue)
        self._still = still
