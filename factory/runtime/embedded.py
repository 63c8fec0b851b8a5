"""The embedded runtime: MLflow, Airflow's components and a server of models, supervised, in one folder."""

import importlib.metadata
import importlib.util
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from factory.base.processes import end, family
from factory.runtime.airflow_api import AirflowClient
from factory.runtime.components import (
    MIGRATION,
    SERVING,
    command,
    components_of,
    healthy_components,
)
from factory.runtime.errors import (
    ComponentDiedError,
    EmbeddedRuntimeError,
    MissingDependencyError,
    NotHealthyError,
)
from factory.runtime.home import Home
from factory.runtime.lock import HomeLock
from factory.runtime.ports import Ports
from factory.runtime.processes import POLL, Component, Mark, members, sweep
from factory.runtime.supervisor import OnEvent, Supervisor
from factory.runtime.variables import MARKER, variables

OnState = Callable[[str, str, float], None]
"""Called with a component, `starting` or `healthy`, and the seconds since the start."""


_WATCHDOG = "watchdog"
_WATCHDOG_PROGRAM = (sys.executable, "-P", "-m", "factory.runtime.watchdog")
_PATIENCE = 60.0
"""Seconds that a question to Airflow waits for an API server that is being started again."""


def _say_nothing(*_anything: object) -> None:
    """What is called when nobody listens."""


class EmbeddedRuntime:
    """MLflow and Airflow for one project, on the loopback interface; a context manager.

    Everything they write lies in `home`, so that runtimes with different homes and ports share
    nothing. A component that dies once all were healthy is started again. On leaving, no process is
    left; if the process that holds this object is killed, a watchdog ends the others.
    """

    def __init__(
        self,
        project: Path,
        home: Path | None = None,
        *,
        ports: Ports | None = None,
        environment: Mapping[str, str] | None = None,
        pause: Callable[[float], None] = time.sleep,
        hurried: Callable[[], bool] = lambda: False,
        on_state: OnState = _say_nothing,
        on_event: OnEvent = _say_nothing,
        deadline: float = 240,
        components: tuple[str, ...] | None = None,
        stays: bool = True,
    ) -> None:
        """Nothing is started yet.

        Args:
            project: The folder with `dags/` and `configs/`.
            home: Where everything is kept; `.factory` in the project when left out.
            ports: Where the servers listen; free ones when left out.
            environment: Further variables for all components, stronger than anything else.
            pause: Waits that many seconds; may raise to end the runtime.
            hurried: Whether stopping shall not wait for tasks and servers to end properly.
            on_state: Told about each component, until all are healthy.
            on_event: Told about deaths afterwards, from another thread.
            deadline: Seconds until all components must be healthy.
            components: What to start; what the project wants when left out.
            stays: Whether it runs until somebody stops it; others may then rely on it.
        """
        self.project = project.resolve()
        self.home = Home(home.resolve()) if home else Home.of(self.project)
        self.ports = ports or Ports.free()
        self._extra = dict(environment or {})
        self._pause = pause
        self._hurried = hurried
        self._on_state = on_state
        self._on_event = on_event
        self._deadline = deadline
        self._components_wanted = components
        self._stays = stays
        self._run = uuid.uuid4().hex
        self._lock = HomeLock(self.home.lock)
        self._components: dict[str, Component] = {}
        self._supervisor: Supervisor | None = None

    @cached_property
    def airflow(self) -> AirflowClient:
        """A client of this runtime's Airflow, closed with it."""
        return AirflowClient(self.ports.airflow_url, pause=self._pause, patience=_PATIENCE)

    @cached_property
    def serves(self) -> bool:
        """Whether there is a server of models."""
        return SERVING in self._wanted

    @cached_property
    def _wanted(self) -> tuple[str, ...]:
        if self._components_wanted is not None:
            return self._components_wanted
        environment = {**os.environ, **self._extra}.get("FACTORY_ENVIRONMENT")
        return components_of(self.project, environment)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start every component and wait until all are healthy.

        Raises:
            EmbeddedRuntimeError: says what is missing, taken, dead or slow. Call `stop` in any case.
        """
        check_dependencies()
        if not (self.project / "dags").is_dir():
            raise EmbeddedRuntimeError(
                f"{self.project} has no folder `dags`: run this in a project's folder, or name it "
                "with --project"
            )
        self._lock.acquire()
        sweep(self.home.folder)
        self.home.remove_stale_pid_files()
        self.ports.check(serving=self.serves)
        self.home.prepare()
        self._lock.announce(
            self.ports,
            serving=self.serves,
            airflow="api-server" in self._wanted,
            stays=self._stays,
        )
        self._variables = variables(
            home=self.home,
            project=self.project,
            ports=self.ports,
            secrets=self.home.secrets(),
            inherited=os.environ,
            extra=self._extra,
            serving=self.ports.serving_url if self.serves else None,
        )
        self._started = time.time()
        self._launch(_WATCHDOG)
        servers = [name for name in self._wanted if name in ("mlflow", SERVING)]
        airflow = [name for name in self._wanted if name not in servers]
        for name in servers:
            self._launch(name)
        if airflow:
            self._migrate()
        for name in airflow:
            self._launch(name)
        self._wait_until_healthy()
        self._supervisor = Supervisor(
            self._components,
            start_again=self._launch,
            members=lambda name: members(self.home.folder, run=self._run, component=name),
            is_ours=self._is_ours,
            on_event=self._on_event,
        )
        self._supervisor.start()

    def check(self) -> None:
        """Raise if a component ended before all were healthy, or does so whenever it is started again.

        Raises:
            ComponentDiedError: names it, with the end of its log.
            EmbeddedRuntimeError: components can no longer be looked after.
        """
        if self._supervisor:
            if self._supervisor.failure:
                raise self._supervisor.failure
            if not self._supervisor.is_alive():
                raise EmbeddedRuntimeError(
                    "components are no longer looked after: see the error above"
                )
            return
        for component in self._components.values():
            code = component.process.poll()
            if code is not None:
                raise ComponentDiedError(component.name, code, component.log, component.tail())

    def wait(self) -> None:
        """Wait until a component is given up, or for `pause` to raise."""
        while True:
            self.check()
            self.home.rotate_logs()
            self._pause(1.0)

    def stop(self) -> None:
        """End every process of this runtime; safe to call at any time and more than once."""
        if self._supervisor:
            self._supervisor.stop()
            self._supervisor = None
        if "airflow" in self.__dict__:  # made by the property above
            self.airflow.close()  # an open connection would delay the server's end
            del self.airflow
        watchdog = self._components.pop(_WATCHDOG, None)
        # Tasks first: while Airflow's API still answers, an interrupted task can say so.
        if scheduler := self._components.get("scheduler"):
            end(family(scheduler.process), hurried=self._hurried)
        rest = [
            process
            for component in self._components.values()
            for process in family(component.process)
        ]
        end(rest, grace=2, hurried=self._hurried)
        if self._components:
            sweep(self.home.folder, run=self._run, grace=0)
        for component in self._components.values():
            component.process.wait()
        self._components.clear()
        if watchdog:
            watchdog.process.communicate()  # closes the pipe that it listens to, and waits for its end
        self._lock.release()

    def _launch(self, name: str) -> Component:
        if name == _WATCHDOG:
            mark, stdin = "", subprocess.PIPE  # no mark: it outlives the sweep that it makes
            arguments = [*_WATCHDOG_PROGRAM, str(self.home.folder), self._run]
        else:
            mark, stdin = str(Mark(self._run, name, self.home.folder)), subprocess.DEVNULL
            arguments = command(name, self.ports)
            if not self._supervisor:
                self._on_state(name, "starting", time.time() - self._started)
        component = Component.launch(
            name,
            arguments,
            folder=self.project,
            log=self.home.logs / f"{name}.log",
            environment={**self._variables, MARKER: mark},
            stdin=stdin,
        )
        self._components[name] = component
        return component

    def _is_ours(self, process: psutil.Process) -> bool:
        watchdog = self._components.get(_WATCHDOG)
        if watchdog and watchdog.process.pid == process.pid:
            return True
        mark = Mark.of(process)
        return mark is not None and (mark.run, mark.home) == (self._run, self.home.folder)

    def _migrate(self) -> None:
        """Bring Airflow's database to the installed version; no component may start before."""
        version = importlib.metadata.version("apache-airflow-core")
        if self.home.migrated.is_file() and self.home.migrated.read_text() == version:
            return
        component = self._launch(MIGRATION)
        while component.process.poll() is None:
            self._pause(POLL)
        if component.process.returncode:
            self.check()
        del self._components[MIGRATION]
        self.home.migrated.write_text(version)
        self._on_state(MIGRATION, "healthy", time.time() - self._started)

    def _wait_until_healthy(self) -> None:
        waiting, begun = set(self._wanted), time.monotonic()
        while waiting:
            self.check()
            healthy = healthy_components(self.ports, since=self._started, serving=self.serves)
            for name in self._wanted:
                if name in waiting & healthy:
                    waiting.remove(name)
                    self._on_state(name, "healthy", time.time() - self._started)
            if not waiting:
                return
            # By a clock that nobody sets.
            if time.monotonic() - begun > self._deadline:
                missing = tuple(name for name in self._wanted if name in waiting)
                raise NotHealthyError(
                    missing, self._deadline, self.home.logs, self._components[missing[0]].tail()
                )
            self._pause(POLL)


def check_dependencies() -> None:
    """Raise unless everything that is started as a process is installed.

    Raises:
        MissingDependencyError: names the package.
    """
    for module, package in (
        ("airflow", "apache-airflow"),
        ("mlflow", "mlflow"),
        ("dagfactory", "dag-factory"),
        ("deltalake", "deltalake"),
        ("sklearn", "scikit-learn"),
    ):
        if importlib.util.find_spec(module) is None:
            raise MissingDependencyError(package, sys.executable)
