"""The end of a training document, and the rules at its beginning."""

from factory.catalog import read_all
from factory.documents.compile import compile_team
from factory.documents.installation import Installation

HEAD = """\
version: 1
team: sea
owner: sea@example.org
datasets:
  catches: {source: {type: csv, path: data/a.csv}}
models:
  species:
    task: classification
    train_on: catches
    target: species
    search:
      strategy: list
      trials: [{estimator: sklearn.dummy.DummyClassifier, params: {}}]
    objective: {metric: accuracy}
"""


def tasks_of(project, *lines: str) -> dict:
    return document_of(project, *lines)["tasks"]


def document_of(project, *lines: str) -> dict:
    (project / "configs").mkdir()
    text = HEAD + "".join(f"    {line}\n" for line in lines)
    (project / "configs" / "sea.yaml").write_text(text)
    read = read_all(project / "configs", "dev")
    assert not read.problems
    installation = Installation(storage="s3://lake", workspace="/scratch", project=project)
    return compile_team(read.teams["sea"].team, installation)["sea.species.train"]


def test_gate_goes_on_to_one_of_two_and_the_champion_must_be_beaten_by_default(tmp_path):
    tasks = tasks_of(tmp_path)
    assert tasks["gate"]["operator"] == "factory.airflow.operators.BranchStepOperator"
    assert tasks["gate"]["dependencies"] == ["register"]
    assert tasks["gate"]["op_kwargs"]["promotion"] == {}
    assert "approve" not in tasks
    for name in ("promote", "keep_champion"):
        assert tasks[name]["dependencies"] == ["gate"]
    assert {"promote", "keep_champion"} <= set(tasks["close_workspace"]["dependencies"])


def test_only_promotion_emits_the_models_event(tmp_path):
    tasks = tasks_of(tmp_path)
    (asset,) = tasks["promote"]["outlets"]
    assert asset == {
        "__type__": "airflow.sdk.Asset",
        "name": "sea.species",
        "uri": "x-mlflow://models/sea.species",
        "group": "model",
    }
    assert [name for name, task in tasks.items() if task.get("outlets")] == ["promote"]


def test_approval_stands_between_gate_and_promotion(tmp_path):
    tasks = tasks_of(
        tmp_path,
        "promotion: {approval: {assignees: [ana, ben], response_timeout: 2h, on_timeout: approve}}",
    )
    approve = tasks["approve"]
    assert approve["dependencies"] == ["gate"]
    assert approve["assigned_users"] == [{"id": "ana", "name": "ana"}, {"id": "ben", "name": "ben"}]
    assert approve["response_timeout"] == {"__type__": "datetime.timedelta", "seconds": 7200}
    assert approve["defaults"] == "Approve"
    assert tasks["promote"]["dependencies"] == ["gate", "approve"]
    assert tasks["keep_champion"]["dependencies"] == ["gate", "promote"]
    assert tasks["close_workspace"]["dependencies"] == ["open_workspace", "keep_champion"]


def test_approval_can_be_switched_off(tmp_path):
    tasks = tasks_of(tmp_path, "promotion: {approval: {required: false, assignees: [ana]}}")
    assert "approve" not in tasks


def test_silence_is_a_rejection_by_default(tmp_path):
    approve = tasks_of(tmp_path, "promotion: {approval: {}}")["approve"]
    assert approve["defaults"] == "Reject"
    assert approve["response_timeout"]["seconds"] == 86_400
    assert "assigned_users" not in approve


def test_retraining_rules_stand_before_the_split(tmp_path):
    tasks = tasks_of(tmp_path, "retrain_when: {rows_added: 100, days_since: 7}")
    operator = "factory.airflow.operators.ShortCircuitStepOperator"
    assert tasks["retrain"]["operator"] == operator
    assert tasks["retrain"]["op_kwargs"]["rules"] == {"rows_added": 100, "days_since": 7}
    assert tasks["retrain"]["dependencies"] == ["inputs"]
    assert tasks["split"]["dependencies"] == ["retrain"]


def test_without_rules_every_run_trains(tmp_path):
    tasks = tasks_of(tmp_path)
    assert "retrain" not in tasks
    assert tasks["split"]["dependencies"] == ["inputs"]


def test_rules_of_promotion_are_no_part_of_what_is_trained(tmp_path):
    document = document_of(tmp_path, "promotion: {dry_run: true}", "retrain_when: {drift: true}")
    assert not {"promotion", "retrain_when"} & set(document["default_args"]["shared"]["section"])
