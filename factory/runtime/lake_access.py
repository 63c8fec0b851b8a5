"""The lake's storage outside of Airflow, reached as tasks reach it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from factory.runtime.home import Home

if TYPE_CHECKING:
    from factory.documents.installation import Installation


@contextmanager
def reaching(installation: "Installation", project: Path) -> Iterator[None]:
    """Reach storage as tasks do; by a connection's credentials if the project names one.

    The connection is looked for where tasks of `factory run` find it: in AIRFLOW_CONN_* variables.

    Raises:
        TerminalError: There is no such connection.
    """
    if installation.storage_connection is None:
        yield
        return
    # Airflow writes its settings into this folder as soon as it is imported.
    os.environ.setdefault("AIRFLOW_HOME", str(Home.of(project).foreground.airflow))
    from factory.airflow.storage_access import storage_access

    with storage_access(installation.storage_connection):
        yield
