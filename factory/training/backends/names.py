"""Names of jobs: what trains the same has the same name, so that nothing is trained and paid twice.

`<model>-<run>-<trial>-<content>-<number>`, such as `pets-detector-1f0c2d9a7b-3-9ab1c2d3-1`, with at
most 63 letters, digits and hyphens, as SageMaker wants them. A name is used once and for all there: the
number grows with each job that ended badly.
"""

import re
from typing import Any

from factory.base.digests import sha256_of_json

_MODEL = 26
"""Characters of the model's name."""
_RUN = 10
_CONTENT = 8


def run_prefix(model: str, *, storage: str, dag_id: str, run_id: str) -> str:
    """What the names of all jobs of a DAG run begin with, and those of no other run.

    Args:
        model: The full name, `team.model`.
        storage: The lake's address: two installations may share an account and the ids of runs.
        dag_id: Airflow's id of the DAG.
        run_id: Airflow's id of the run.
    """
    readable = re.sub(r"[^a-z0-9]+", "-", model.lower())[:_MODEL].strip("-")
    return f"{readable}-{sha256_of_json([storage, dag_id, run_id])[:_RUN]}-"


def job_base(prefix: str, index: int, content: Any) -> str:
    """The name of a trial's jobs without their number.

    Args:
        prefix: As `run_prefix` makes it.
        index: The trial's place in the sweep.
        content: All that decides what comes out of the training, as JSON.
    """
    return f"{prefix}{index}-{sha256_of_json(content)[:_CONTENT]}"
