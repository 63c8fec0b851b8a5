"""The benchmark compares the same DAGs in three forms, and writes its figures. No absolute times."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
TEAMS = 5


@pytest.fixture(scope="module")
def contestants(tmp_path_factory):
    from benchmarks import parse, teams

    project = tmp_path_factory.mktemp("bench") / "project"
    teams.generate(project, TEAMS)
    return {name: parse.dags_of(load(project)) for name, load in parse.CONTESTANTS.items()}


def serialized(dag, *left_out: str) -> dict:
    from airflow.serialization.serialized_objects import DagSerialization

    data = DagSerialization.to_dict(dag)["dag"]
    for key in ("fileloc", "relative_fileloc", *left_out):
        data.pop(key, None)
    for task in data["tasks"]:
        # Airflow copies a DAG's params into mapped tasks, which ours need not: a run has them from the DAG.
        task["__var"].pop("params", None)
    return json.loads(json.dumps(data, sort_keys=True, default=str))


def test_project_has_a_dataset_and_a_model_a_team(contestants):
    assert sorted(contestants["ours"]) == sorted(
        f"team_{number:04}.{name}"
        for number in range(TEAMS)
        for name in ("rows", "progression.train")
    )


def test_handwritten_dags_are_exactly_ours(contestants):
    handwritten = contestants["handwritten"]
    assert handwritten.keys() == contestants["ours"].keys()
    for dag_id, dag in contestants["ours"].items():
        assert serialized(handwritten[dag_id]) == serialized(dag), dag_id


def test_dag_factorys_dags_are_ours_but_for_its_tag_and_its_dump_in_doc_md(contestants):
    plain = contestants["dagfactory"]
    assert plain.keys() == contestants["ours"].keys()
    for dag_id, dag in contestants["ours"].items():
        ignored = ("doc_md", "tags")
        assert serialized(plain[dag_id], *ignored) == serialized(dag, *ignored), dag_id
        assert plain[dag_id].doc_md.startswith(dag.doc_md)
        assert plain[dag_id].tags == {*dag.tags, "dagfactory"}


@pytest.mark.command
def test_every_promised_figure_is_written(tmp_path):
    output = tmp_path / "made" / "bench.json"
    sizes = ("--teams", "2", "3", "--rounds", "1", "--starts", "1")
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", *sizes, "--output", str(output)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads(output.read_text())
    assert figures.keys() >= {
        "parse_ms_per_dag",
        "parse_ms_per_dag_dagfactory",
        "parse_ms_per_dag_handwritten",
        "task_start_ms_2_teams",
        "task_start_ms_3_teams",
    }
    assert all(value > 0 for value in figures.values())
    assert "Full parse of 3 teams" in done.stdout
