"""What `factory doctor` looks at, and what it finds."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from factory.catalog import Project
from factory.documents.installation import Installation
from factory.runtime.airflow_api import AirflowClient

Level = Literal["ok", "warning", "wrong"]


@dataclass(frozen=True)
class Diagnosis:
    """What was found about one thing."""

    subject: str
    level: Level
    """`warning`: something may not work, or cannot be known. `wrong`: something does not work."""
    found: str
    advice: str = ""
    """What to do; empty where nothing is to be done."""


@dataclass(frozen=True)
class Examined:
    """What is looked at."""

    project: Path
    read: Project
    installation: Installation
    reached: Callable[[], AbstractContextManager[None]]
    """Lets storage be reached as tasks reach it."""
    airflow: AirflowClient | None
    """None where no Airflow is named, and none runs in the project."""
    mlflow: str | None
    """The address of MLflow; None where none is named, and none runs in the project."""
    is_embedded: bool
    """Whether Airflow is that of a `factory up` that runs in the project."""
