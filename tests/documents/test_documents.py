"""Team files to documents: golden files of the shipped teams, and what every document keeps."""

import os
from pathlib import Path

import pytest
import yaml

from factory.catalog import read_all
from factory.documents.compile import compile_one, compile_team, dag_ids
from factory.documents.installation import Installation
from factory.documents.rendering import to_yaml

PROJECT = Path(__file__).parents[2]
GOLDEN = Path(__file__).parent / "golden"
TEAMS = sorted(path.stem for path in (PROJECT / "configs").glob("[!_]*.yaml"))


@pytest.fixture(scope="module")
def shipped():
    read = read_all(PROJECT / "configs", "dev")
    assert not read.problems
    return read


@pytest.fixture
def here() -> Installation:
    return Installation(storage="s3://lake", workspace="/scratch", project=PROJECT)


@pytest.mark.parametrize("team", TEAMS)
def test_shipped_team_renders_its_golden_file(team, shipped, here):
    text = to_yaml(compile_team(shipped.teams[team].team, here))
    golden = GOLDEN / f"{team}.yaml"
    if os.environ.get("REWRITE_GOLDEN"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(text)
    assert text == golden.read_text(), "REWRITE_GOLDEN=1 rewrites the file; review the difference"


@pytest.mark.parametrize("team", TEAMS)
def test_rendered_text_reads_back_as_the_documents(team, shipped, here):
    documents = compile_team(shipped.teams[team].team, here)
    assert yaml.safe_load(to_yaml(documents)) == documents


def test_one_document_is_the_one_of_the_whole_team(shipped, here):
    team = shipped.teams["clinic"].team
    whole = compile_team(team, here)
    assert list(whole) == list(dag_ids(team)) == ["clinic.diabetes", "clinic.progression.train"]
    for dag_id, document in whole.items():
        assert compile_one(team, dag_id, here) == document
    assert compile_one(team, "clinic.unknown", here) is None


def test_documents_do_not_depend_on_the_order_of_files_or_the_time(shipped, here):
    again = read_all(PROJECT / "configs", "dev")
    for team in TEAMS:
        first = to_yaml(compile_team(shipped.teams[team].team, here))
        assert first == to_yaml(compile_team(again.teams[team].team, here))


def test_environment_changes_the_document(here):
    team = read_all(PROJECT / "configs", "prod").teams["ecology"].team
    arguments = compile_team(team, here)["ecology.species.train"]["default_args"]
    assert arguments["retries"] == 3
    assert arguments["retry_delay"] == {"__type__": "datetime.timedelta", "seconds": 300}


def write_team(project: Path, text: str) -> None:
    (project / "configs").mkdir(exist_ok=True)
    (project / "configs" / "_defaults.yaml").write_text("operators: ['*']\n")
    (project / "configs" / "sea.yaml").write_text(
        "version: 1\nteam: sea\nowner: sea@example.org\n" + text
    )


def compile_sea(project: Path) -> dict:
    read = read_all(project / "configs", "dev")
    assert not read.problems
    here = Installation(storage="s3://lake", workspace="/scratch", project=project)
    return compile_team(read.teams["sea"].team, here)


SOURCE = "source: {type: csv, path: data/a.csv}"


@pytest.mark.parametrize(
    ("written", "compiled"),
    [
        ("none", None),
        ("'@hourly'", "@hourly"),
        ("30 2 * * 1-5", "30 2 * * 1-5"),
    ],
)
def test_schedule_by_time_is_handed_to_airflow(tmp_path, written, compiled):
    write_team(tmp_path, f"datasets:\n  a:\n    schedule: {written}\n    {SOURCE}\n")
    assert compile_sea(tmp_path)["sea.a"]["schedule"] == compiled


@pytest.mark.parametrize(
    ("written", "kind", "names"),
    [
        ("a", "list", ["sea.a"]),
        ("{all: [a, b]}", "list", ["sea.a", "sea.b"]),
        ("{any: [a, b]}", "airflow.sdk.AssetAny", ["sea.a", "sea.b"]),
        ("{any: [a], cron: 0 3 * * *}", "airflow.sdk.AssetOrTimeSchedule", ["sea.a"]),
    ],
)
def test_schedule_by_datasets_names_their_assets(tmp_path, written, kind, names):
    write_team(
        tmp_path,
        f"datasets:\n  a: {{{SOURCE}}}\n  b: {{{SOURCE}}}\n"
        f"  c:\n    schedule: {written}\n    {SOURCE}\n",
    )
    schedule = compile_sea(tmp_path)["sea.c"]["schedule"]
    if kind == "list":
        found = schedule
    else:
        assert schedule["__type__"] == kind
        found = (schedule.get("assets") or schedule)["__args__"]
    assert [asset["name"] for asset in found] == names
    assert [asset["uri"] for asset in found] == [
        "s3://lake/" + name.replace(".", "/") for name in names
    ]


def test_dataset_without_schedule_follows_the_datasets_it_reads(tmp_path):
    write_team(
        tmp_path,
        f"datasets:\n  a: {{{SOURCE}}}\n  b: {{source: {{type: dataset, dataset: a}}}}\n",
    )
    documents = compile_sea(tmp_path)
    assert documents["sea.a"]["schedule"] is None
    assert [asset["name"] for asset in documents["sea.b"]["schedule"]] == ["sea.a"]


def test_every_task_that_reads_or_writes_a_dataset_declares_it(tmp_path):
    write_team(
        tmp_path,
        f"datasets:\n  a: {{{SOURCE}}}\n  b:\n    source: {{type: dataset, dataset: a}}\n"
        "    transforms: [{type: sql, query: select * from source}]\n",
    )
    tasks = compile_sea(tmp_path)["sea.b"]["tasks"]
    inlets = {name: [a["name"] for a in task.get("inlets", [])] for name, task in tasks.items()}
    assert {name for name, names in inlets.items() if names == ["sea.a"]} == {
        "inputs",
        "ingest",
        "transform",
    }
    assert [asset["name"] for asset in tasks["publish"]["outlets"]] == ["sea.b"]


def test_sql_file_stands_in_the_document_as_text(tmp_path):
    (tmp_path / "sql").mkdir()
    (tmp_path / "sql" / "clean.sql").write_text("select *\nfrom source\n")
    write_team(
        tmp_path,
        f"datasets:\n  a:\n    {SOURCE}\n    transforms: [{{type: sql, file: sql/clean.sql}}]\n",
    )
    arguments = compile_sea(tmp_path)["sea.a"]["tasks"]["transform"]["op_kwargs"]
    assert arguments["transforms"] == [{"type": "sql", "query": "select *\nfrom source"}]


def test_parallel_trials_limit_the_instances_of_the_mapped_task(shipped, here):
    team = shipped.teams["ecology"].team
    trial = compile_team(team, here)["ecology.species.train"]["tasks"]["trial"]
    assert trial["expand"] == {"op_kwargs": "plan_trials.output"}
    assert trial["max_active_tis_per_dagrun"] == 2


def test_winner_is_chosen_among_the_trials_for_which_there_was_time(tmp_path):
    search = "{strategy: list, trials: [{estimator: sklearn.linear_model.Ridge}], max_minutes: 5}"
    write_team(
        tmp_path,
        f"datasets: {{a: {{{SOURCE}}}}}\n"
        "models: {m: {task: regression, train_on: a, target: mass, objective: {metric: r2},\n"
        f"  search: {search}}}}}\n",
    )
    made = compile_sea(tmp_path)["sea.m.train"]["tasks"]
    assert made["select_best"]["trigger_rule"] == "none_failed"


def test_own_dag_keeps_its_tasks_under_the_teams_prefix(tmp_path):
    write_team(
        tmp_path,
        "dags:\n  tidy:\n    schedule: '@weekly'\n    tags: [house]\n    tasks:\n"
        "      sweep: {operator: airflow.providers.standard.operators.empty.EmptyOperator}\n",
    )
    document = compile_sea(tmp_path)["sea.tidy"]
    assert document["tags"] == ["house", "sea"]
    assert document["default_args"] == {"owner": "sea@example.org"}
    assert list(document["tasks"]) == ["sweep"]


def test_dataset_that_a_check_names_is_an_input_and_starts_no_run(tmp_path):
    write_team(
        tmp_path,
        """
datasets:
  ports: {source: {type: csv, path: data/p.csv}, share_with: "*"}
  landings:
    source: {type: csv, path: data/l.csv}
    checks: [{check: relationships, column: port, to: ports}]
""",
    )
    documents = compile_sea(tmp_path)
    landings = documents["sea.landings"]
    check = landings["tasks"]["check"]
    assert check["op_kwargs"]["checks"][0]["to"] == "sea.ports"
    assert [asset["name"] for asset in check["inlets"]] == ["sea.ports"]
    assert landings["default_args"]["shared"]["reads"] == ["sea.ports"]
    assert landings.get("schedule") is None
