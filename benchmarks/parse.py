"""One measurement in a fresh process: `python -m benchmarks.parse WHAT FOLDER` prints milliseconds.

`ours`, `dagfactory` and `handwritten` build every DAG of a folder and print ms a DAG; `task` builds
the DAG of the task that AIRFLOW names in its parsing context, as at the start of every task.
What is imported once for all of them is imported before the clock starts.
"""

import importlib.util
import json
import logging
import sys
import time
from pathlib import Path
from typing import Any

from airflow.sdk import DAG
from dagfactory import load_yaml_dags

import factory.airflow.load
from factory.airflow.tasks import dataset, training, workspace

_IMPORTED = (dataset, training, workspace)


def ours(project: Path) -> dict[str, Any]:
    """Read, link, compile and build every team file."""
    namespace: dict[str, Any] = {"__file__": str(project / "dags" / "teams.py")}
    factory.airflow.load.load_dags(namespace)
    return namespace


def dagfactory(folder: Path) -> dict[str, Any]:
    """dag-factory's folder loader on the very documents that we render."""
    namespace: dict[str, Any] = {}
    load_yaml_dags(namespace, dags_folder=str(folder), defaults_config_path=str(folder))
    return namespace


def handwritten(folder: Path) -> dict[str, Any]:
    """Import every Python file, as Airflow's DAG processor does."""
    namespace: dict[str, Any] = {}
    for file in sorted(folder.glob("*.py")):
        spec = importlib.util.spec_from_file_location(file.stem, file)
        if spec is None or spec.loader is None:
            raise ImportError(str(file))
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        namespace |= vars(module)
    return namespace


def main() -> None:
    """Measure once and print one JSON line."""
    what, folder = sys.argv[1], Path(sys.argv[2])
    logging.disable(logging.WARNING)
    call = {"ours": ours, "task": ours, "dagfactory": dagfactory, "handwritten": handwritten}[what]
    started = time.perf_counter()
    namespace = call(folder)
    milliseconds = (time.perf_counter() - started) * 1000
    dags = len({value.dag_id for value in namespace.values() if isinstance(value, DAG)})
    print(json.dumps({"ms": milliseconds, "dags": dags}))


if __name__ == "__main__":
    main()
