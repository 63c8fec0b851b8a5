"""A real Airflow and MLflow in a folder of their own."""

import json
import stat
from contextlib import suppress
from pathlib import Path

import httpx
import psutil
import pytest

from factory.runtime.airflow_api import AirflowClient, AirflowRefusedError, NotInTimeError
from factory.runtime.airflow_records import DagRun
from factory.runtime.embedded import EmbeddedRuntime
from factory.runtime.errors import AlreadyRunningError
from factory.runtime.follow import (
    FollowedRuns,
    RunFollower,
    last_lines,
    start_producers,
    training_result,
)
from factory.runtime.processes import members
from tests.runtime.conftest import DAGS

pytestmark = pytest.mark.end_to_end


@pytest.fixture(scope="module")
def followed(runtime: EmbeddedRuntime) -> tuple[RunFollower, FollowedRuns]:
    airflow = runtime.airflow
    dags = [dag for dag in airflow.dags() if dag.dag_id in DAGS]
    producers = start_producers(airflow, dags)
    follower = RunFollower(airflow, DAGS, frozenset(), producers, settle=3)

    def finished() -> FollowedRuns | None:
        runtime.check()
        progress = follower.poll()
        return progress if progress.finished else None

    return follower, airflow.wait_until(finished, "the end of everything", seconds=120)


@pytest.fixture(scope="module")
def training(followed: tuple[RunFollower, FollowedRuns]) -> DagRun:
    (run,) = (each.run for each in followed[1].runs if each.run.dag_id == "team.model.train")
    return run


def test_an_event_starts_the_consumer_and_is_its_upstream_event(
    runtime: EmbeddedRuntime, training: DagRun
) -> None:
    assert (training.state, training.run_type) == ("success", "asset_triggered")
    (event,) = runtime.airflow.upstream_asset_events(training.dag_id, training.dag_run_id)
    assert (event.name, event.extra) == ("team.numbers", {"version": 7, "rows": 3})
    assert event.source_dag_id == "team.numbers"


def test_mapped_task_instances_are_labelled_by_what_they_are_mapped_over(
    runtime: EmbeddedRuntime, training: DagRun
) -> None:
    labels = {task.label for task in runtime.airflow.tasks(training.dag_id, training.dag_run_id)}
    assert labels == {"fit [C=1]", "fit [C=2]", "look", "register"}


def test_tasks_have_the_libraries_at_hand_and_a_single_thread(
    runtime: EmbeddedRuntime, training: DagRun
) -> None:
    seen = runtime.airflow.xcom(training.dag_id, training.dag_run_id, "look")
    assert seen == {
        "loaded": ["deltalake", "mlflow", "pandas", "sklearn"],
        "threads": 1,
        "tracking": runtime.ports.mlflow_url,
        "configs": str(runtime.project / "configs"),
    }


def test_the_training_run_reports_what_it_registered(
    runtime: EmbeddedRuntime, training: DagRun
) -> None:
    result = training_result(runtime.airflow, training)
    assert result is not None
    assert (result["model"], result["version"], result["trials"]) == ("team.model", "1", 2)


def test_a_consumer_that_waits_for_further_datasets_is_no_failure(
    followed: tuple[RunFollower, FollowedRuns],
) -> None:
    (silence,) = followed[1].silences
    assert (silence.consumer, silence.event.name) == ("team.pair.train", "team.numbers")
    assert silence.waits_for_others


def test_a_failed_run_fails_the_whole_and_its_log_says_why(
    runtime: EmbeddedRuntime, followed: tuple[RunFollower, FollowedRuns]
) -> None:
    _, progress = followed
    (failed,) = (each for each in progress.runs if each.run.state == "failed")
    assert progress.failed
    assert failed.run.dag_id == "team.letters"
    assert "RuntimeError: no letters today" in "\n".join(
        last_lines(runtime.airflow, failed.failed[0])
    )


def test_the_log_of_a_task_is_readable_without_a_log_server(
    runtime: EmbeddedRuntime, followed: tuple[RunFollower, FollowedRuns]
) -> None:
    (run,) = (each.run for each in followed[1].runs if each.run.dag_id == "team.numbers")
    (task,) = runtime.airflow.tasks(run.dag_id, run.dag_run_id)
    lines = runtime.airflow.log(task)
    assert "three numbers" in lines
    assert not any("Could not read served logs" in line for line in lines)


def test_lineage_events_name_the_published_dataset(
    runtime: EmbeddedRuntime, training: DagRun
) -> None:
    def outputs() -> set[str]:
        lines = runtime.home.lineage.read_text().splitlines()
        return {output["name"] for line in lines for output in json.loads(line).get("outputs", ())}

    found = runtime.airflow.wait_until(outputs, "lineage events", seconds=30)
    assert "/lake/team/numbers" in found


def test_servers_listen_on_the_loopback_interface_only(runtime: EmbeddedRuntime) -> None:
    listening = set()
    for process in members(runtime.home.folder):
        with suppress(psutil.NoSuchProcess):  # a task's that has just ended
            listening |= {
                (connection.laddr.ip, connection.laddr.port)
                for connection in process.net_connections(kind="inet")
                if connection.status == psutil.CONN_LISTEN
            }
    assert listening == {
        ("127.0.0.1", runtime.ports.airflow),
        ("127.0.0.1", runtime.ports.mlflow),
        ("127.0.0.1", runtime.ports.serving),
    }


def test_mlflow_answers_requests(runtime: EmbeddedRuntime) -> None:
    url = f"{runtime.ports.mlflow_url}/api/2.0/mlflow/experiments/get?experiment_id=0"
    assert httpx.get(url, trust_env=False).json()["experiment"]["name"] == "Default"


def test_a_second_runtime_in_the_same_home_says_where_the_first_answers(
    runtime: EmbeddedRuntime,
) -> None:
    second = EmbeddedRuntime(runtime.project)
    with pytest.raises(AlreadyRunningError) as raised:
        second.start()
    second.stop()
    assert runtime.ports.airflow_url in str(raised.value)
    assert runtime.ports.mlflow_url in str(raised.value)
    runtime.check()


def test_secrets_are_private_and_in_no_log(runtime: EmbeddedRuntime, training: DagRun) -> None:
    file = runtime.home.folder / "secrets.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    secrets = list(json.loads(file.read_text()).values())
    assert len(secrets) == 3
    logs = [
        path
        for folder in (runtime.home.logs, runtime.home.airflow / "logs")
        for path in folder.rglob("*.log")
    ]
    assert logs
    for path in logs:
        text = path.read_text(errors="replace")
        assert not [path for secret in secrets if secret in text]


def test_waiting_ends_at_its_deadline(runtime: EmbeddedRuntime) -> None:
    with pytest.raises(NotInTimeError, match="pigs that fly: not within 0 s"):
        runtime.airflow.wait_until(lambda: None, "pigs that fly", seconds=0.1)


def test_a_refused_request_says_what_airflow_answered(runtime: EmbeddedRuntime) -> None:
    with pytest.raises(AirflowRefusedError, match=r"GET /dags/team.nothing with 404") as raised:
        runtime.airflow.dag("team.nothing")
    assert raised.value.status == 404


def test_what_a_task_did_not_leave_is_none(runtime: EmbeddedRuntime, training: DagRun) -> None:
    assert runtime.airflow.xcom(training.dag_id, training.dag_run_id, "fit") is None


def test_a_broken_dag_file_is_an_import_error(runtime: EmbeddedRuntime) -> None:
    broken: Path = runtime.project / "dags" / "broken.py"
    broken.write_text("from airflow.sdk import dag\nraise ValueError('marine.yaml:12:7')\n")
    with AirflowClient(runtime.ports.airflow_url) as airflow:
        problems = airflow.wait_until(airflow.import_errors, "the import error", seconds=60)
    assert [problem.filename for problem in problems] == ["broken.py"]
    assert "marine.yaml:12:7" in problems[0].stack_trace
    broken.unlink()
