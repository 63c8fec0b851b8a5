"""Whether this installation can reach the storage that the project names."""

import os
from pathlib import Path


def missing_extra(project: Path) -> str | None:
    """What to install for the project's storage and artifacts, or None if nothing is missing.

    Of the environment that FACTORY_ENVIRONMENT picks: another one's may be for other machines.
    """
    from factory.lake.storage.address import is_s3
    from factory.team.environment import ARTIFACTS, active_environment
    from factory.team.problems import ReadFailed
    from factory.team.reader import read_platform

    try:
        platform = read_platform(project / "configs", active_environment())
    except ReadFailed:
        return None  # shown with its line wherever team files are read
    connection = os.environ.get("FACTORY_STORAGE_CONNECTION") or platform.config.storage_connection
    wanted = ((platform.storage, connection), (os.environ.get(ARTIFACTS, ""), None))
    if not any(is_s3(address) for address, _ in wanted):
        return None
    from factory.lake.storage.access import missing_for

    return next(filter(None, (missing_for(*one) for one in wanted)), None)


def check_storage(project: Path) -> None:
    """Check that what the project's storage needs is installed.

    Raises:
        EmbeddedRuntimeError: names what to install.
    """
    from factory.runtime.errors import EmbeddedRuntimeError

    if missing := missing_extra(project):
        raise EmbeddedRuntimeError(missing)
