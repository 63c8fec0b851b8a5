"""Which runs Airflow has in work, asked by a task."""

import os


def is_live(dag_id: str, run_id: str, airflow_home: str | None) -> bool | None:
    """Whether this Airflow has a run waiting or at work; None where there is nobody to ask.

    Args:
        dag_id: The DAG's id.
        run_id: The run's.
        airflow_home: The AIRFLOW_HOME that the run belongs to; another one's is not known here.
    """
    from airflow.sdk.execution_time import task_runner

    foreign = airflow_home not in (None, os.environ.get("AIRFLOW_HOME"))
    # A run in the foreground, `dag.test()`, has no supervisor to ask.
    if foreign or getattr(task_runner, "SUPERVISOR_COMMS", None) is None:
        return None
    ask = task_runner.RuntimeTaskInstance.get_dr_count
    return bool(ask(dag_id=dag_id, run_ids=[run_id], states=["queued", "running"]))
