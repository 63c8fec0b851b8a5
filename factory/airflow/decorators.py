"""What dag-factory lacks, behind its `decorator:` key: setups and teardowns.

dag-factory calls `decorator(task_id=…, dag=…, python_callable=…, **other keys)` and then the result.
The DAG is handed on by name everywhere and never entered (`with dag:`): Airflow counts a DAG that is
entered as one of the file that it is parsing, and `config_errors.py` builds all DAGs to see whether
they can be built.
"""

from collections.abc import Callable
from typing import Any

from airflow.sdk.bases.operator import BaseOperator

from factory.airflow.operators import StepOperator


def setup(**arguments: Any) -> Callable[[], BaseOperator]:
    """A task that prepares something for the tasks after it."""
    return lambda: StepOperator(**arguments).as_setup()


def teardown(**arguments: Any) -> Callable[[], BaseOperator]:
    """A task that runs once its setups succeeded and the tasks between ended, whatever their state.

    Its `dependencies` name the setups too. Its own failure does not turn a failed run green,
    nor a green one red: Airflow leaves teardowns out of a run's state.
    """
    return lambda: StepOperator(**arguments).as_teardown()
