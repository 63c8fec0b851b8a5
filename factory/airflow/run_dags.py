"""One DAG after the other in this process, through Airflow's own `dag.test()`.

Run as `python -m factory.airflow.run_dags REPORT PARAMS DAG_ID…`; stops at the first run that fails. REPORT
is a file that gets one JSON object a line: `{"dag_id", "task", "state", …}` when a task begins or ends, and
`{"dag_id", "state", "result"}` when a run ends. PARAMS are those of the last DAG, as JSON; the others are only
there for it. The environment names a migrated Airflow database.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from airflow.listeners import hookimpl
from airflow.sdk import DAG
from airflow.sdk.listener import get_listener_manager

from factory.airflow.approval import ApprovalStepOperator
from factory.airflow.load import load_one
from factory.airflow.masking import masked_output, shown
from factory.team.environment import configs_folder

# The tasks whose result says what a run came to, the first that there is.
_LAST = ("register", "publish")
# Those that say what became of a version that `register` made.
_OUTCOME = ("promote", "keep_champion")


class Reporter:
    """Writes a line whenever a task begins or ends; a listener of Airflow's."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, **line: Any) -> None:
        """Write one line at once: somebody is watching."""
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()

    def _task(self, instance: Any, state: str, error: object = None) -> None:
        label = getattr(instance, "rendered_map_index", None)
        if label is None and instance.map_index >= 0:
            label = str(instance.map_index)
        self.write(
            dag_id=instance.dag_id,
            task=instance.task_id if label is None else f"{instance.task_id} [{label}]",
            state=state,
            error=None if error is None else shown(str(error)),
        )

    @hookimpl  # type: ignore[untyped-decorator]
    def on_task_instance_running(self, task_instance: Any) -> None:
        """A task begins; what it is mapped over is known when it ends."""
        if task_instance.map_index < 0:
            self._task(task_instance, "running")

    @hookimpl  # type: ignore[untyped-decorator]
    def on_task_instance_success(self, task_instance: Any) -> None:
        """A task ended well."""
        self._task(task_instance, "success")

    @hookimpl  # type: ignore[untyped-decorator]
    def on_task_instance_skipped(self, task_instance: Any) -> None:
        """A task had nothing to do."""
        self._task(task_instance, "skipped", getattr(task_instance.task, "skipped_because", None))

    @hookimpl  # type: ignore[untyped-decorator]
    def on_task_instance_failed(self, task_instance: Any, error: object) -> None:
        """A task failed."""
        self._task(task_instance, "failed", error)


def run(dag: DAG, params: Mapping[str, Any]) -> dict[str, Any]:
    """Run a DAG to its end.

    Args:
        dag: The DAG.
        params: What its params are set to, as if it was triggered by hand.

    Returns:
        `dag_id`, `state`, and `result`: what its last task returned, or None; for a training, with
        `promoted` and `reason`.
    """
    for task in dag.tasks:
        if isinstance(task, ApprovalStepOperator):
            task.can_ask = False
    dag_run = dag.test(run_conf=dict(params))
    result = _first(dag_run, _LAST)
    if outcome := _first(dag_run, _OUTCOME):
        result = {**result, "promoted": outcome["promoted"], "reason": outcome["reason"]}
    state = str(getattr(dag_run.state, "value", dag_run.state))
    return {"dag_id": dag.dag_id, "state": state, "result": result}


def _first(dag_run: Any, task_ids: Sequence[str]) -> Any:
    """The result of the first of these tasks that has one; None where none has."""
    return next((value for name in task_ids if (value := _xcom(dag_run, name)) is not None), None)


def _xcom(dag_run: Any, task_id: str) -> Any:
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session

    with create_session() as session:
        query = XComModel.get_many(
            key="return_value", run_id=dag_run.run_id, dag_ids=dag_run.dag_id, task_ids=task_id
        )
        found = session.execute(query.limit(1)).scalar_one_or_none()
        return None if found is None else XComModel.deserialize_value(found)


def main() -> int:
    """Run the DAGs that are named; 1 if one of them failed."""
    report, params, *dag_ids = sys.argv[1:]
    configs = configs_folder(Path("dags/teams.py"))
    with masked_output(), Path(report).open("a", encoding="utf-8") as file:
        reporter = Reporter(file)
        get_listener_manager().add_listener(reporter)
        for dag_id in dag_ids:
            dag = load_one(configs, dag_id)[dag_id]
            # As where Airflow finds it: tasks find the project's folder from it.
            dag.fileloc = str(configs.parent / "dags" / "teams.py")
            outcome = run(dag, json.loads(params) if dag_id == dag_ids[-1] else {})
            reporter.write(**outcome)
            if outcome["state"] != "success":
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
