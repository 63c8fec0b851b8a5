"""Tasks of a team's own, with which the DAGs of datasets and models end."""

from dataclasses import replace
from pathlib import Path

import pytest

from factory.catalog import read_all
from factory.documents.compile import compile_team
from factory.documents.installation import Installation
from factory.team.after_tasks import OF_DATASETS, OF_TRAININGS

BASH = "operator: airflow.providers.standard.operators.bash.BashOperator"
EMPTY = "operator: airflow.providers.standard.operators.empty.EmptyOperator"
SEA = f"""\
version: 1
team: sea
owner: sea@example.org
datasets:
  catches:
    source: {{type: csv, path: data/a.csv, wait: {{timeout: 1h}}}}
    transforms: [{{type: sql, query: select * from source}}]
    load: {{connection: warehouse, table: staging, then: drop table staging}}
    after:
      export: {{{BASH}, bash_command: make-export, inlets: [catches]}}
      tell: {{{EMPTY}, dependencies: [export]}}
  copies:
    source: {{type: dataset, dataset: catches}}
models:
  kind:
    task: classification
    train_on: catches
    target: b
    retrain_when: {{rows_added: 10}}
    search:
      strategy: list
      trials: [{{estimator: sklearn.svm.SVC, params: {{}}}}]
    objective: {{metric: accuracy}}
    promotion: {{approval: {{}}}}
    backend: {{type: local-process}}
    after:
      chart: {{{EMPTY}, inlets: [kind]}}
      always: {{{EMPTY}, trigger_rule: all_done}}
    predict: {{input: catches, keep: [a]}}
"""
REFIT = "refit: train+validation"
LISTED = """strategy: list
      trials: [{estimator: sklearn.svm.SVC, params: {}}]"""
HALVING = """{strategy: halving, trials: 512, max_trials: 1024, factor: 2, resource: max_iter, min_resources: 1,
      max_resources: 512, candidates: [{estimator: sklearn.svm.SVC, params: {C: {uniform: [1, 2]}}}]}"""
IN_S3 = Installation(storage="s3://lake", workspace="/scratch", project=Path(), create_bucket=True)


def documents(tmp_path: Path, text: str = SEA, installation: Installation = IN_S3):
    configs = tmp_path / "configs"
    configs.mkdir(exist_ok=True)
    (configs / "_defaults.yaml").write_text("python_packages: [sklearn]\noperators: ['*']\n")
    (configs / "sea.yaml").write_text(text)
    read = read_all(configs, "dev")
    assert not read.problems, "\n".join(map(str, read.problems))
    return compile_team(read.teams["sea"].team, installation)


def problems(tmp_path: Path, text: str) -> list[str]:
    configs = tmp_path / "configs"
    configs.mkdir(exist_ok=True)
    (configs / "_defaults.yaml").write_text("python_packages: [sklearn]\noperators: ['*']\n")
    (configs / "sea.yaml").write_text(text)
    found = [one for one in read_all(configs, "dev").problems if not one.is_warning]
    return [f"{one.line}:{one.column}: {one.message}" for one in found]


def test_the_first_of_them_come_after_publication_and_the_others_where_they_say(tmp_path):
    tasks = documents(tmp_path)["sea.catches"]["tasks"]
    assert list(tasks)[-2:] == ["export", "tell"]
    assert tasks["export"]["dependencies"] == ["publish"]
    assert tasks["tell"]["dependencies"] == ["export"]
    assert "export" not in tasks["close_workspace"]["dependencies"]


def test_inlets_are_the_assets_of_datasets_and_models(tmp_path):
    made = documents(tmp_path)
    [catches] = made["sea.catches"]["tasks"]["export"]["inlets"]
    [kind] = made["sea.kind.train"]["tasks"]["chart"]["inlets"]
    assert (catches["uri"], kind["uri"]) == ("s3://lake/sea/catches", "x-mlflow://models/sea.kind")


def test_those_of_a_model_run_whatever_was_decided_unless_they_say_otherwise(tmp_path):
    tasks = documents(tmp_path)["sea.kind.train"]["tasks"]
    for name, rule in (("chart", "none_failed_min_one_success"), ("always", "all_done")):
        assert tasks[name]["dependencies"] == ["promote", "keep_champion"]
        assert tasks[name]["trigger_rule"] == rule


def test_other_dags_of_a_model_have_none(tmp_path):
    assert "chart" not in documents(tmp_path)["sea.kind.predict"]["tasks"]


def test_a_sample_has_none(tmp_path):
    made = documents(tmp_path, installation=replace(IN_S3, is_sample=True))
    assert not {"export", "tell"} & made["sea.catches"]["tasks"].keys()


def test_what_training_reads_does_not_name_them(tmp_path):
    made = documents(tmp_path)["sea.kind.train"]
    assert "after" not in made["default_args"]["shared"]["section"]


def test_names_of_the_factorys_tasks_are_all_reserved(tmp_path):
    """Whoever adds a task to one of these DAGs adds its name there."""
    made = documents(tmp_path)
    of_dataset = {*made["sea.catches"]["tasks"], *made["sea.copies"]["tasks"]}
    # No model has all of them.
    again = documents(tmp_path, SEA.replace("backend: {type: local-process}", REFIT))
    waves = documents(
        tmp_path,
        SEA.replace(f"\n      {LISTED}", f" {HALVING}").replace(
            "backend: {type: local-process}", ""
        ),
    )
    of_training = {name for one in (made, again, waves) for name in one["sea.kind.train"]["tasks"]}
    assert of_dataset - {"export", "tell"} == OF_DATASETS
    assert of_training - {"chart", "always"} == OF_TRAININGS


@pytest.mark.parametrize(
    ("task", "found"),
    [
        (f"publish: {{{EMPTY}}}", "8:7: the DAG has a task `publish` of its own, or may have one"),
        (
            f"create_x: {{{EMPTY}}}",
            "8:7: the DAG has a task `create_x` of its own, or may have one",
        ),
        ("x: 7", "8:10: `x` must be a mapping"),
        ("x: {bash_command: echo}", "8:10: the task `x` needs `operator` or `decorator`"),
        (
            "x: {decorator: airflow.sdk.task, python_callable: os.system}",
            "8:57: `os.system` is outside the packages that may be named here: sklearn",
        ),
        (
            f"x: {{{EMPTY}, outlets: [a]}}",
            "8:88: `a` is named as assets of datasets and models are",
        ),
        (f"x: {{{EMPTY}, dependencies: [y]}}", "8:94: there is no task or group `y` in this DAG"),
        (f"x: {{{EMPTY}, inlets: [lab.a]}}", "8:88: there is no team `lab`"),
    ],
)
def test_what_is_wrong_with_them_is_found_where_it_stands(tmp_path, task, found):
    text = (
        "version: 1\nteam: sea\nowner: a@b.org\ndatasets:\n  a:\n"
        f"    source: {{type: csv, path: data/a.csv}}\n    after:\n      {task}\n"
    )
    assert any(one.startswith(found) for one in problems(tmp_path, text)), problems(tmp_path, text)


def test_templates_of_theirs_are_airflows(tmp_path):
    text = SEA.replace("make-export", "\"echo {{ ti.xcom_pull('publish') }} {{ ds }}\"")
    made = documents(tmp_path, text)["sea.catches"]["tasks"]
    assert "xcom_pull" in made["export"]["bash_command"]


def test_those_of_the_platform_and_of_an_environment_lie_over_each_other(tmp_path):
    configs = tmp_path / "configs"
    configs.mkdir()
    (configs / "_defaults.yaml").write_text(
        f"operators: ['*']\ndatasets: {{after: {{tell: {{{EMPTY}}}}}}}\n"
    )
    delay = "retry_delay: {__type__: datetime.timedelta, minutes: 1}"
    (configs / "sea.yaml").write_text(
        "version: 1\nteam: sea\nowner: a@b.org\n"
        "datasets: {a: {source: {type: csv, path: data/a.csv}}}\n"
        f"environments: {{prod: {{datasets: {{a: {{after: {{more: {{{EMPTY}, {delay}}}}}}}}}}}}}\n"
    )
    read = read_all(configs, "prod")
    assert read.problems == ()
    tasks = compile_team(read.teams["sea"].team, IN_S3)["sea.a"]["tasks"]
    assert [tasks[name]["dependencies"] for name in ("tell", "more")] == [["publish"]] * 2
