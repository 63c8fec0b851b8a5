"""Documents of every kind in Airflow, and the contract with dag-factory: plain, it loads the same DAGs."""

from functools import partial
from pathlib import Path

import pytest
from dagfactory import load_yaml_dags

from factory.airflow import plugin
from factory.airflow.build import build, build_all
from factory.airflow.operators import TrainingJobOperator
from factory.catalog import read_all
from factory.documents import dag as document_values
from factory.documents.compile import compile_team
from factory.documents.installation import Installation
from factory.documents.rendering import to_yaml
from factory.documents.team_dag import MAKE_BUCKET
from tests.airflow.test_build import PROJECT, serialized
from tests.documents import (
    test_deployment,
    test_images,
    test_jobs,
    test_monitoring,
    test_notification,
    test_predictions,
    test_promotion,
    test_resources,
)
from tests.documents.test_documents import SOURCE

DEFAULTS = "version: 1\noperators: ['*']\npython_packages: [sklearn, palmerpenguins]\n"
SEA = "version: 1\nteam: sea\nowner: sea@example.org\n"


def documents_of(project: Path, text: str, defaults: str = DEFAULTS, **keys) -> dict:
    """The documents of a team file; `keys` say more about the installation."""
    configs = project / "configs"
    configs.mkdir()
    team = text.partition("team: ")[2].split()[0]
    (configs / f"{team}.yaml").write_text(text)
    (configs / "_defaults.yaml").write_text(defaults)
    read = read_all(configs, "prod")
    assert not read.problems, "\n".join(map(str, read.problems))
    installation = Installation("s3://lake", "/scratch", project, **keys)
    return compile_team(read.teams[team].team, installation)


def deployed(deploy: str) -> str:
    return SEA + test_deployment.MODEL.format(source=SOURCE, deploy=deploy)


PREDICTED = SEA + test_predictions.MODEL.format(
    source=SOURCE, predict="{input: catches, keep: [id]}", train_on="catches", transforms="[]"
)
APPROVED = "    promotion: {approval: {assignees: [ana]}}\n    retrain_when: {drift: true}\n"
WATCHED = "    monitor: {truth: {dataset: truth, keys: [id]}, on_breach: [notify, retrain]}\n"

PRICES = "version: 1\nprices: {ml.m5.large: 0.115}\n"

TEAMS = {
    "approval": partial(documents_of, text=test_promotion.HEAD + APPROVED),
    "built deployment": partial(documents_of, text=deployed(test_deployment.BUILT)),
    "deployment": partial(documents_of, text=deployed(test_deployment.PROCESS)),
    "images": partial(documents_of, text=test_images.GALLERY),
    "jobs": partial(
        documents_of,
        text=test_jobs.MODEL + test_jobs.REMOTE,
        defaults=PRICES,
        prices=test_jobs.PRICES,
    ),
    "monitor": partial(documents_of, text=test_monitoring.HEAD + test_monitoring.PREDICT + WATCHED),
    "notification": partial(
        documents_of, text=test_notification.SEA, defaults=test_notification.DEFAULTS
    ),
    "prediction": partial(documents_of, text=PREDICTED),
    "resources": partial(documents_of, text=test_resources.SEA),
    "storage": partial(
        documents_of, text=PREDICTED, storage_connection="aws_lake", create_bucket=True
    ),
}


def shipped() -> dict:
    read = read_all(PROJECT / "configs", "dev")
    installation = Installation("s3://lake", "/scratch", PROJECT)
    return {
        dag_id: document
        for file in read.teams.values()
        for dag_id, document in compile_team(file.team, installation).items()
    }


def known(task, fact: str):
    """What one of our operators knows, mapped or not."""
    one = task.unmap({"op_kwargs": {}}) if task.is_mapped else task
    return getattr(one, fact, None)


@pytest.mark.parametrize("name", ["shipped", *TEAMS])
def test_plain_dag_factory_loads_what_is_rendered_as_the_same_dag(name, tmp_path):
    documents = shipped() if name == "shipped" else TEAMS[name](tmp_path)
    # It names a callback that is none, to see that what a team writes itself is left alone.
    documents.pop("sea.own", None)
    rendered = tmp_path / "teams.yaml"
    rendered.write_text(to_yaml(documents))
    plain: dict = {}
    load_yaml_dags(plain, config_filepath=str(rendered), defaults_config_path=str(tmp_path))
    ours = build_all(documents)
    assert ours
    for dag_id, dag in ours.items():
        found = plain[dag_id]
        assert serialized(dag) == serialized(found), dag_id
        assert set(found.tags) - set(dag.tags) == {"dagfactory"}
        assert list(found.user_defined_macros or {}) == list(dag.user_defined_macros or {})
        callbacks = [one.on_failure_callback for one in (dag, found)]
        assert len({str(getattr(callback, "keywords", None)) for callback in callbacks}) == 1
        for task in dag.tasks:
            # Airflow does not store what our operators know: it is compared here.
            for fact in ("shared", "notify"):
                assert known(task, fact) == known(found.get_task(task.task_id), fact)


def test_run_that_fails_tells_the_datasets_own_notifiers(tmp_path):
    documents = TEAMS["notification"](tmp_path)
    loud = build("sea.loud", documents["sea.loud"])
    told = loud.on_failure_callback.keywords
    assert told == {"targets": [{"type": "webhook", "connection": "pager"}]}
    assert loud.get_task("publish").notify["event"] == "on_dataset"


def test_setups_are_setups_and_teardowns_do_not_decide_a_runs_state(tmp_path):
    for dag in build_all(TEAMS["resources"](tmp_path)).values():
        for task in dag.tasks:
            assert task.is_setup == task.task_id.startswith(("create_", "open_"))
            assert task.is_teardown == task.task_id.startswith(("destroy_", "close_"))
            assert not (task.is_teardown and task.on_failure_fail_dagrun)


def test_bucket_is_made_by_a_setup_and_every_task_knows_the_connection(tmp_path):
    for dag_id, dag in build_all(TEAMS["storage"](tmp_path)).items():
        making, opening = dag.get_task(MAKE_BUCKET), dag.get_task("open_workspace")
        assert making.is_setup, dag_id
        assert opening.upstream_task_ids == {MAKE_BUCKET}
        for task in dag.tasks:
            assert known(task, "shared")["storage_connection"] == "aws_lake", (
                f"{dag_id}.{task.task_id}"
            )


def test_jobs_are_started_by_a_setup_waited_for_and_stopped_by_a_teardown(tmp_path):
    dag = build("sea.m.train", TEAMS["jobs"](tmp_path)["sea.m.train"])
    assert dag.get_task("start_training").is_setup
    assert dag.get_task("stop_training").is_teardown
    assert dag.get_task("trial").operator_class is TrainingJobOperator
    upstream = dag.get_task("stop_training").upstream_task_ids
    assert {"open_workspace", "start_training", "trial"} <= upstream


def test_deployment_that_fails_leads_back(tmp_path):
    dag = build("sea.weight.deploy", TEAMS["deployment"](tmp_path)["sea.weight.deploy"])
    assert dag.get_task("restore").trigger_rule == "one_failed"
    assert {task.task_id for task in dag.leaves} == {"announce", "fail"}


def test_predictions_are_checked_before_they_are_published_in_a_workspace(tmp_path):
    dag = build("sea.weight.predict", TEAMS["prediction"](tmp_path)["sea.weight.predict"])
    assert dag.get_task("publish").upstream_task_ids == {"check"}
    assert dag.get_task("open_workspace").is_setup
    assert dag.get_task("close_workspace").is_teardown


@pytest.mark.parametrize(
    "written",
    ["none", "'@weekly'", "{all: [known, birds]}", "{any: [known], cron: 0 3 * * *}"],
)
def test_airflow_builds_every_schedule_with_drift(written, tmp_path):
    text = f"{test_monitoring.HEAD}    schedule: {written}\n{test_monitoring.RETRAIN}"
    dags = build_all(documents_of(tmp_path, text))
    (outlet,) = dags[test_monitoring.MONITOR].get_task("retrain").outlets
    assert outlet.name == "sea.species.drift"
    started_by = dags["sea.species.train"].timetable.asset_condition
    assert "name='sea.species.drift'" in repr(started_by)


def test_whoever_ends_a_stopped_run_knows_each_operator_of_documents():
    of_documents = {
        kind.path.rpartition(".")[2]
        for kind in vars(document_values).values()
        if isinstance(kind, document_values.TaskType) and kind.key == "operator"
    }
    # A branch and an approval skip what is meant to be skipped; after a job's trial, and a wait, there is always a step.
    others = {
        "ApprovalStepOperator",
        "BranchStepOperator",
        "ShortCircuitStepOperator",
        "TrainingJobOperator",
        "WaitStepOperator",
    }
    assert of_documents == {*plugin.STEPS, *others}
