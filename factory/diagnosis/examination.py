"""All that is looked at, in the order in which one thing needs another."""

from collections.abc import Callable, Iterator

from factory.diagnosis import (
    airflow_server,
    machine,
    mlflow_server,
    parsing,
    storage,
    telemetry,
    versions,
)
from factory.diagnosis.finding import Diagnosis, Examined

CHECKS: tuple[Callable[[Examined], Iterator[Diagnosis]], ...] = (
    versions.check_factory,
    versions.check_python,
    versions.check_packages,
    telemetry.check_dag_factory,
    telemetry.check_mlflow,
    mlflow_server.check_server,
    storage.check_storage,
    machine.check_disk,
    airflow_server.check_server,
    airflow_server.check_connections,
    airflow_server.check_pools,
    parsing.check_parsing,
)


def examine(examined: Examined) -> Iterator[Diagnosis]:
    """What every check finds."""
    for check in CHECKS:
        yield from check(examined)
