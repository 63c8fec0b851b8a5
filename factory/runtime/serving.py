"""Whether a project wants a server of its own models, and how it is started."""

import sys
from pathlib import Path

from factory.runtime.ports import HOST

SERVING = "serving"
"""The component's name, and that of its log."""


def is_wanted(project: Path, environment: str | None) -> bool:
    """Whether a model of the project's healthy teams is deployed to the local server.

    Args:
        project: The folder with `configs/`.
        environment: Whose overlays apply; the default one's when left out.
    """
    from factory.catalog import read_all
    from factory.deploy.targets.process_section import ProcessDeploy
    from factory.team.environment import DEFAULT_ENVIRONMENT

    found = read_all(project / "configs", environment or DEFAULT_ENVIRONMENT)
    sections = [
        model.deploy for file in found.teams.values() for model in file.team.models.values()
    ]
    return any(isinstance(each, ProcessDeploy) and each.url is None for each in sections)


def command(port: int) -> list[str]:
    """What is kept running: a server of every model that has a champion."""
    return [sys.executable, "-P", "-m", "factory", "serve", "--host", HOST, "--port", str(port)]
