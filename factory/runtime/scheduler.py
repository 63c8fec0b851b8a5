"""Airflow's scheduler with the libraries that tasks use already loaded.

LocalExecutor forks its workers from the scheduler, and each task is forked from a worker. What the
scheduler has imported, no task imports again: seconds saved at every task, and memory, since the
pages are shared. Run as `python -m factory.runtime.scheduler`, arguments as for
`airflow scheduler`.
"""

import importlib
import importlib.util
import logging
import multiprocessing
import sys
from pathlib import Path

from factory import kinds

# skops looks through every module that is loaded when it is imported; Airflow has hundreds that
# answer each question with a deprecation warning. So it comes first, and Airflow last.
PRELOADED = (
    "skops.io",
    "pandas",
    "pyarrow.dataset",
    "pyarrow.parquet",
    "deltalake",
    "duckdb",
    "scipy.stats",
    "sklearn.compose",
    "sklearn.ensemble",
    "sklearn.impute",
    "sklearn.linear_model",
    "sklearn.metrics",
    "sklearn.model_selection",
    "sklearn.pipeline",
    "sklearn.preprocessing",
    "matplotlib.figure",
    "matplotlib.backends.backend_agg",
    "mlflow.sklearn",
    "airflow.sdk.execution_time.task_runner",
    "airflow.providers.openlineage.plugins.listener",
    "dagfactory.dagbuilder",
    "factory.airflow.load",
    "factory.airflow.decorators",
    "factory.airflow.operators",
    "factory.airflow.tasks.dataset",
    "factory.airflow.tasks.promotion",
    "factory.airflow.tasks.training",
    "factory.training.register",
    "factory.training.trial_batch",
    "factory.airflow.tasks.workspace",
)

IF_INSTALLED = ("boto3",)
"""Libraries of extras, which need not be there."""

logger = logging.getLogger(__name__)


def preload(modules: tuple[str, ...] = PRELOADED) -> tuple[str, ...]:
    """Import what tasks will need; returns the modules that are there.

    A library that is missing is missed by the task that needs it, with its own message.
    """
    loaded = []
    for module in modules:
        try:
            importlib.import_module(module)
        except ImportError as error:
            logger.warning("not loaded ahead of tasks: %s", error)
        else:
            loaded.append(module)
    return tuple(loaded)


def threads() -> tuple[str, ...]:
    """The names of this process's threads, native ones included; empty where /proc is missing."""
    tasks = Path("/proc/self/task")
    if not tasks.is_dir():
        return ()
    return tuple(sorted((task / "comm").read_text().strip() for task in tasks.iterdir()))


def main() -> None:
    """Load, then become `airflow scheduler`."""
    if multiprocessing.get_start_method() == "fork":
        preload(PRELOADED)
        preload(tuple(name for name in IF_INSTALLED if importlib.util.find_spec(name)))
        kinds.prepare()
        if len(running := threads()) > 1:
            logger.warning("threads run before the scheduler forks: %s", ", ".join(running))
    from airflow.__main__ import main as airflow

    sys.argv = ["airflow", "scheduler", *sys.argv[1:]]
    airflow()


if __name__ == "__main__":
    main()
