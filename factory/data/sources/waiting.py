"""`wait` of sources: a run waits, without a worker, until there is something to read."""

from factory.base.section import Seconds, Section


class Wait(Section):
    """How long a run waits until there is something to read; it occupies no worker meanwhile."""

    timeout: Seconds
    """After this time the run fails, unless `soft_fail` says otherwise."""
    poke_interval: Seconds = 60
    """How often it looks."""
    soft_fail: bool = False
    """Whether the run is skipped, and does not fail, where nothing has come in time."""
