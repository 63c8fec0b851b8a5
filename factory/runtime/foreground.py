"""An Airflow of its own for `factory run`: a database and logs, and no servers but MLflow's."""

import os
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from factory.base.processes import end, family
from factory.runtime.components import MIGRATION, command
from factory.runtime.embedded import EmbeddedRuntime
from factory.runtime.errors import AlreadyRunningError, EmbeddedRuntimeError
from factory.runtime.home import OWNER_ONLY, Home
from factory.runtime.log_files import rotate
from factory.runtime.ports import Ports
from factory.runtime.processes import POLL
from factory.runtime.variables import variables

Pause = Callable[[float], None]

_AGAIN = 0.5
"""Seconds after which it is looked again whether another command has ended."""


@contextmanager
def tracking(
    project: Path,
    home: Home,
    pause: Pause,
    *,
    brief: bool = False,
    stays: bool = False,
    on_wait: Callable[[str], None] = lambda _: None,
) -> Iterator[Mapping[str, str]]:
    """The variables of a process that runs DAGs, while MLflow answers.

    The MLflow of a runtime that stays is used, such as that of a factory that is up; otherwise one is started, and
    stopped on leaving. One that another command has started ends with that command: whoever may outlive it
    waits for its end.

    Args:
        project: The project.
        home: Where everything is kept.
        pause: Waits that many seconds; may raise to end MLflow.
        brief: Whether it is needed for a moment, so that any MLflow will do.
        stays: Whether it is needed until somebody stops this process.
        on_wait: Told whom is waited for, once.

    Raises:
        EmbeddedRuntimeError: MLflow does not start.
    """
    waits = False
    while True:
        runtime = EmbeddedRuntime(
            project, home.folder, pause=pause, components=("mlflow",), stays=stays
        )
        try:
            runtime.start()
            break
        except AlreadyRunningError as running:
            runtime.stop()
            if running.mlflow is not None and (running.stays or brief):
                yield _variables(project, home, _ports(running.mlflow), running.serving)
                return
            if not waits:
                waits = True
                on_wait(
                    f"Waiting for process {running.pid or '?'}, another command in this project."
                )
            pause(_AGAIN)
        except BaseException:
            runtime.stop()
            raise
    try:
        yield _variables(project, home, runtime.ports)
    finally:
        runtime.stop()


def run(program: Sequence[str], environ: Mapping[str, str], log: Path, pause: Pause) -> int:
    """Run a program to its end, its output going to `log`; it is ended when `pause` raises.

    Returns:
        Its exit code.
    """
    log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    rotate(log, is_held=False)
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603 - our own command
            program,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            umask=OWNER_ONLY,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            while process.poll() is None:
                pause(POLL)
        finally:
            end(family(process))
            process.wait()
    return process.returncode


def migrate(home: Home, environ: Mapping[str, str], log: Path, pause: Pause) -> None:
    """Make the database, or bring it to the installed Airflow's version.

    Raises:
        EmbeddedRuntimeError: It cannot be done; names the log.
    """
    home.foreground.airflow.mkdir(parents=True, exist_ok=True, mode=0o700)
    if run(command(MIGRATION, Ports()), environ, log, pause):
        raise EmbeddedRuntimeError(f"Airflow's database cannot be made: see {log}")


def _variables(
    project: Path, home: Home, ports: Ports, serving: str | None = None
) -> dict[str, str]:
    """Those of the embedded runtime, with other files for Airflow.

    Two Airflows on one database would run each other's tasks. `serving` is where the server of models
    answers, if one does.
    """
    own = home.foreground
    return variables(
        home=home,
        project=project,
        ports=ports,
        secrets=home.secrets(),
        inherited=os.environ,
        serving=serving,
        extra={
            "AIRFLOW_HOME": str(own.airflow),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{own.airflow_database}",
            "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(own.airflow / "logs"),
        },
    )


def _ports(mlflow_url: str) -> Ports:
    return Ports(mlflow=urlsplit(mlflow_url).port or Ports.mlflow)
