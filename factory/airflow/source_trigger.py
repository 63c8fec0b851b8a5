"""Waiting in the triggerer for something to read, where it occupies no worker."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from factory.base.errors import FactoryError, TerminalError

_MOST_FAILURES = 5
"""Looks that fail, one after the other, after which the task is to look itself, and to say what is wrong."""

_SETTLED = 10.0
"""Seconds after which it fires at the earliest. A scheduler that hears of the pause of a task only when this is at work
again takes the task for lost, and lets it fail: Airflow 3.3.2 knows both by the same key."""

_LOOKS = ThreadPoolExecutor(8, "look")
"""Threads of its own: a database that does not answer keeps no other triggers waiting."""


class SourceTrigger(BaseTrigger):  # type: ignore[misc]
    """Fires when a source has something to read, when the time is over, or when looking fails."""

    def __init__(
        self,
        *,
        look: dict[str, Any],
        until: float,
        poke_interval: int,
        connection: str | None = None,
    ) -> None:
        """Look at nothing yet.

        Args:
            look: The fields of a `factory.data.look.Look`.
            until: When the time is over, in seconds of the epoch.
            poke_interval: Seconds between two looks.
            connection: The Airflow connection by which the lake is reached, if there is one.
        """
        super().__init__()
        self.look = look
        self.until = until
        self.poke_interval = poke_interval
        self.connection = connection

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """What the trigger is made of again."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "look": self.look,
                "until": self.until,
                "poke_interval": self.poke_interval,
                "connection": self.connection,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look every `poke_interval` seconds, in a thread."""
        failures, told, begun = 0, "", time.monotonic()
        while (left := self.until - time.time()) > 0 and failures < _MOST_FAILURES:
            # Not all datasets at the same moment.
            pause = self.poke_interval * random.uniform(0.8, 1.2)  # noqa: S311
            await asyncio.sleep(min(left, pause))
            try:
                missing = await asyncio.get_running_loop().run_in_executor(_LOOKS, self._missing)
            except TerminalError:
                break
            except FactoryError as error:
                failures += 1
                self.log.warning("%s", error)
                continue
            if not missing:
                break
            failures = 0
            if missing != told:
                told = missing
                self.log.info("%s", missing)
        await asyncio.sleep(begun + _SETTLED - time.monotonic())
        yield TriggerEvent({"until": self.until})

    def _missing(self) -> str:
        from factory.airflow import connections
        from factory.airflow.storage_access import storage_access
        from factory.data.look import Look
        from factory.lake.storage.access import apart

        # Many teams' datasets are waited for in one process, each with its own access to storage.
        with apart(), storage_access(self.connection):
            return Look(**self.look).missing(connections)
