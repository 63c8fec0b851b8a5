"""The contestants, and one measurement of one of them."""

import gc
import importlib.util
import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow.sdk import DAG
from dagfactory import load_yaml_dags

from factory import kinds
from factory.airflow import decorators, operators
from factory.airflow.load import load_dags
from factory.airflow.tasks import dataset, promotion, training, workspace

# What a process imports once is imported before the clock starts, for all contestants.
_IMPORTED = (decorators, operators, dataset, promotion, training, workspace)
kinds.prepare()


def ours(project: Path) -> dict[str, Any]:
    """Read, link, compile and build every team file; at a task's start, one DAG of one team."""
    namespace: dict[str, Any] = {"__file__": str(project / "dags" / "teams.py")}
    load_dags(namespace)
    return namespace


def dagfactory(project: Path) -> dict[str, Any]:
    """dag-factory's folder loader on the very documents that we render."""
    namespace: dict[str, Any] = {}
    folder = str(project / "dagfactory")
    load_yaml_dags(namespace, dags_folder=folder, defaults_config_path=folder)
    return namespace


def handwritten(project: Path) -> dict[str, Any]:
    """Import every Python file; at a task's start, Airflow imports the file of its DAG alone."""
    dag_id = os.environ.get(DAG_ID_VARIABLE)
    pattern = f"{dag_id.partition('.')[0]}.py" if dag_id else "*.py"
    namespace: dict[str, Any] = {}
    for file in sorted((project / "handwritten").glob(pattern)):
        spec = importlib.util.spec_from_file_location(file.stem, file)
        if spec is None or spec.loader is None:
            raise ImportError(str(file))
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        namespace |= {f"{file.stem}.{name}": value for name, value in vars(module).items()}
    return namespace


CONTESTANTS: dict[str, Callable[[Path], dict[str, Any]]] = {
    "ours": ours,
    "dagfactory": dagfactory,
    "handwritten": handwritten,
}

DAG_ID_VARIABLE = "_AIRFLOW_PARSING_CONTEXT_DAG_ID"
"""Where a worker names the DAG of the task that it parses for; `get_parsing_context()` reads it."""


@dataclass(frozen=True)
class Measurement:
    """How long it took, and how many DAGs there were after it."""

    milliseconds: float
    dags: int


def measure(contestant: str, project: Path, dag_id: str | None = None) -> Measurement:
    """Parse once; as at the start of a task of `dag_id`, if it is given.

    To be called in a process that has parsed nothing yet, and does nothing afterwards.
    """
    logging.disable(logging.WARNING)
    if dag_id:
        os.environ[DAG_ID_VARIABLE] = dag_id
    # As Airflow's DAG processor does once it has imported what it needs.
    gc.freeze()
    started = time.perf_counter()
    namespace = CONTESTANTS[contestant](project)
    milliseconds = (time.perf_counter() - started) * 1000
    return Measurement(milliseconds, len(dags_of(namespace)))


def dags_of(namespace: dict[str, Any]) -> dict[str, DAG]:
    """The DAGs among the globals of a DAG file, by id."""
    return {value.dag_id: value for value in namespace.values() if isinstance(value, DAG)}
