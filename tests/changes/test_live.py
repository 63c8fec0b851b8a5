"""What runs, put together from what Airflow's API tells, and compared with the files."""

import copy
import inspect
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from typer.testing import CliRunner

from factory.base.errors import FactoryError
from factory.changes.live import LiveState
from factory.changes.plan import State, make_plan
from factory.cli.main import app
from tests.changes.conftest import change
from tests.harness.servers import answering


def details_of(state: State) -> dict[str, dict]:
    """What Airflow 3.3 tells of DAGs, as `GET /dags/{id}/details` answers."""
    found = {}
    for dag_id, document in state.documents.items():
        arguments = json.loads(json.dumps(document["default_args"]))
        arguments["retry_delay"] = "PT30S" if "retry_delay" in arguments else None
        arguments = {key: value for key, value in arguments.items() if value is not None}
        schedule = document.get("schedule")
        names = json.dumps(schedule)
        found[dag_id] = {
            "dag_id": dag_id,
            "description": document["description"],
            "doc_md": inspect.cleandoc(document["doc_md"]),
            "tags": [{"name": name} for name in sorted(document["tags"])],
            "timetable_summary": schedule if isinstance(schedule, str) else "None",
            "asset_expression": schedule if "uri" in names else None,
            "default_args": arguments,
        }
    return found


@pytest.fixture
def told(project: Path) -> dict[str, dict]:
    return details_of(State.of(project, project, "dev"))


def planned(project: Path, told: dict[str, dict], refused: str = ""):
    now = State.of(project, project, "dev")
    return make_plan(LiveState.against(now, told, refused), now)


def effects(plan) -> dict[str, tuple[str, tuple[str, ...]]]:
    return {one.dag_id: (one.effect, one.keys) for one in plan.changes}


def test_nothing_changes_where_airflow_has_what_the_files_say(project, told):
    assert effects(planned(project, told)) == {}


@pytest.mark.parametrize(
    ("file", "old", "new", "dag_id", "expected"),
    [
        ("lab.yaml", "C: [0.1, 1.0]", "C: [0.1, 1.0, 10.0]", "lab.species.train", ("retrain", ("search.candidates", "search"))),
        ("lab.yaml", "Which fish?", "Which fish is it?", "lab.species.train", ("cosmetic", ("description",))),
        ("sea.yaml", "share_with: [lab]", "share_with: [lab]\n    schedule: '@daily'", "sea.catches", ("operation", ("schedule",))),
        ("sea.yaml", "{type: csv, path: data/catches.csv}", "{type: parquet, path: data/catches.parquet}", "sea.catches", ("republish", ("doc_md",))),
        ("sea.yaml", "owner: sea", "owner: seas", "sea.catches", ("operation", ("owner",))),
    ],
)  # fmt: skip
def test_what_is_told_otherwise_has_the_class_of_what_it_comes_to(
    project, told, file, old, new, dag_id, expected
):
    change(project, f"configs/{file}", old, new)
    effect, keys = effects(planned(project, told))[dag_id]
    assert effect == expected[0]
    assert set(keys) & set(expected[1])


def test_the_number_of_trials_that_runs_is_read_from_airflow(project, told):
    change(project, "configs/lab.yaml", "C: [0.1, 1.0]", "C: [0.1, 1.0, 10.0]")
    [one] = [one for one in planned(project, told).changes if one.trials is not None]
    assert (one.trials.before, one.trials.now) == (2, 3)


def test_what_airflow_has_and_files_have_not_is_gone_and_the_reverse_is_new(project, told):
    (project / "configs" / "lab.yaml").unlink()
    change(project, "configs/sea.yaml", "    share_with: [lab]\n", "")
    del told["sea.catches"]
    found = {one.dag_id: (one.kind, one.effect) for one in planned(project, told).changes}
    assert found["sea.catches"] == ("new", "republish")
    assert found["lab.species.train"] == ("gone", "retrain")


def test_dags_of_others_are_left_alone(project, told):
    told["report"] = {"dag_id": "report", "default_args": {"owner": "somebody"}, "tags": []}
    assert effects(planned(project, told)) == {}


def test_where_data_lies_on_the_machine_of_airflow_is_no_change(project, told):
    for one in told.values():
        one["default_args"]["shared"] |= {"storage": "s3://lake", "workspace": "/mnt"}
    assert effects(planned(project, told)) == {}


def test_a_section_of_another_version_of_the_factory_is_said_to_be_unreadable(project, told):
    told = copy.deepcopy(told)
    told["lab.species.train"]["default_args"]["shared"]["section"]["unheard_of"] = 1
    with pytest.raises(FactoryError, match="cannot be read by this version"):
        planned(project, told)


def test_problems_that_airflow_tells_too_are_not_new(project, told):
    change(project, "configs/lab.yaml", "monitor: {}", "monitr: {}")
    assert len(planned(project, told).problems) == 1
    assert planned(project, told, "…: F020 unknown key `monitr`").problems == ()


class Airflow:
    """An Airflow's API, as far as the command asks it."""

    def __init__(self, told: dict[str, dict], commit: str | None) -> None:
        self.told, self.commit = told, commit

    def answer(self, path: str) -> dict:
        if path == "/auth/token":
            return {"access_token": "a token"}
        if path.startswith("/api/v2/importErrors"):
            return {"import_errors": [], "total_entries": 0}
        if path.endswith("/details"):
            return self.told[path.split("/")[-2]]
        also = {"is_paused": False, "is_stale": False, "has_import_errors": False}
        dags = [
            {"dag_id": name, "file_token": "", "bundle_version": self.commit, **also}
            for name in self.told
        ]
        return {"dags": dags, "total_entries": len(dags)}


@pytest.fixture
def airflow(told) -> Iterator[tuple[Airflow, str]]:
    found = Airflow(told, None)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = json.dumps(found.answer(self.path.partition("?")[0])).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with answering(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as http:
        yield found, f"http://127.0.0.1:{http.server_port}"


def call(project: Path, *arguments: str):
    command = ["plan", "--against", "live", "--project", str(project), *arguments]
    return CliRunner().invoke(app, command)


def test_the_command_asks_airflow_and_says_what_it_does_not_tell(repository, airflow):
    change(repository, "configs/lab.yaml", "C: [0.1, 1.0]", "C: [0.1, 1.0, 10.0]")
    done = call(repository, "--airflow-url", airflow[1])
    assert done.exit_code == 0, done.output
    assert "2 → 3 trials" in done.stdout
    assert "it does not tell sources, transforms" in done.stderr


def test_where_airflow_says_its_commit_that_is_compared_file_by_file(repository, airflow):
    airflow[0].commit = "v1"
    change(repository, "clean.sql", "*", "distinct *")
    done = call(repository, "--airflow-url", airflow[1])
    assert done.exit_code == 0, done.output
    assert "republish" in done.stdout
    assert "from the commit v1" in done.stderr


def test_without_an_airflow_it_is_said(repository):
    done = call(repository)
    assert done.exit_code == 1
    assert "nothing to compare with: no Airflow runs in this project" in done.output
