"""Where the processes come from that try new versions: forked from one that has imported what they need.

Importing it each time would take seconds a version. It ends with the service.
"""

import multiprocessing
from multiprocessing import forkserver

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(
    ["factory.serving.loading", "factory.trainers.scikit_learn.skops_model"]
)


def warm_up() -> None:
    """Let it begin to import, while this process does so too."""
    forkserver.ensure_running()
