"""What can go wrong with the embedded runtime; data first, text second."""

from pathlib import Path


class EmbeddedRuntimeError(Exception):
    """The runtime cannot start, or cannot go on; its text is meant for the terminal."""


class PortTakenError(EmbeddedRuntimeError):
    """Another program listens where a server was to listen."""

    def __init__(self, port: int, server: str, option: str) -> None:
        self.port = port
        self.option = option
        variable = f"FACTORY_{option.removeprefix('--').replace('-', '_').upper()}"
        super().__init__(
            f"port {port} on 127.0.0.1 is taken or not allowed, so {server} cannot listen there: "
            f"stop the other program, or choose another port with `{option} {_another(port)}` "
            f"or {variable}={_another(port)}"
        )


class AlreadyRunningError(EmbeddedRuntimeError):
    """Another runtime uses this home."""

    def __init__(
        self,
        home: Path,
        pid: int | None,
        airflow: str | None,
        mlflow: str | None,
        serving: str | None = None,
        *,
        stays: bool = True,
        command: str | None = None,
    ) -> None:
        self.pid = pid
        self.stays = stays
        """Whether it runs until somebody stops it, and not for one command alone."""
        self.mlflow = mlflow
        self.serving = serving
        there = {"Airflow": airflow, "MLflow": mlflow, "models": serving}
        found = [f"{name} {address}" for name, address in there.items() if address]
        where = f": {', '.join(found)}" if found else ""
        who = f"process {pid}" if pid else "another process"
        super().__init__(
            f"{f'`{command}`' if command else 'a factory'} already runs in {home} ({who}){where}. Stop it first (Ctrl-C in its "
            f"terminal{f', or `kill {pid}`' if pid else ''})"
        )


class ComponentDiedError(EmbeddedRuntimeError):
    """One of the supervised processes ended by itself."""

    def __init__(self, component: str, code: int, log: Path, tail: str) -> None:
        self.component = component
        self.code = code
        self.log = log
        self.ending = "ended with " + (f"signal {-code}" if code < 0 else f"exit code {code}")
        super().__init__(f"{component} {self.ending}. The end of {log}:\n{tail}")


class NotHealthyError(EmbeddedRuntimeError):
    """Components run, but were not healthy in time."""

    def __init__(self, components: tuple[str, ...], seconds: float, logs: Path, tail: str) -> None:
        self.components = components
        super().__init__(
            f"{', '.join(components)} not healthy after {seconds:.0f} s; the logs are in {logs}. "
            f"The end of {components[0]}'s:\n{tail}"
        )


class MissingDependencyError(EmbeddedRuntimeError):
    """A package that the runtime starts is missing."""

    def __init__(self, package: str, interpreter: str) -> None:
        self.package = package
        super().__init__(
            f"the package {package} is not installed for {interpreter}: run `make install`, "
            "or install this project with its dependencies into that environment"
        )


class Interrupted(Exception):  # noqa: N818 - not an error: somebody asked to stop
    """A signal asked the runtime to stop."""

    def __init__(self, signal_number: int) -> None:
        self.signal_number = signal_number
        super().__init__(f"stopped by signal {signal_number}")


def _another(port: int) -> int:
    return port + 1 if port < 65535 else port - 1
