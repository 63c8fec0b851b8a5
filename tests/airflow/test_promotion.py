"""The end of a training document as Airflow and as plain dag-factory see it."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.documents.test_promotion import HEAD


@pytest.fixture
def documents(tmp_path: Path) -> dict:
    from factory.catalog import read_all
    from factory.documents.compile import compile_team
    from factory.documents.installation import Installation

    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "sea.yaml").write_text(
        f"{HEAD}    promotion: {{approval: {{assignees: [ana]}}}}\n    retrain_when: {{drift: true}}\n"
    )
    read = read_all(tmp_path / "configs", "prod")
    assert not read.problems
    installation = Installation(storage="s3://lake", workspace="/scratch", project=tmp_path)
    return compile_team(read.teams["sea"].team, installation)


def test_approval_is_airflows_own_operator(documents):
    from airflow.providers.standard.operators.hitl import ApprovalOperator

    from factory.airflow.build import build_all

    approve = build_all(documents)["sea.species.train"].get_task("approve")
    assert isinstance(approve, ApprovalOperator)
    assert (approve.defaults, approve.options) == (["Reject"], ["Approve", "Reject"])
    assert approve.assigned_users == [{"id": "ana", "name": "ana"}]
    assert approve.downstream_task_ids == {"promote"}


def test_run_fails_with_whatever_fails_before_its_last_task(documents):
    """A leaf that is skipped would turn a failed run green."""
    from factory.airflow.build import build

    dag = build("sea.species.train", documents["sea.species.train"])
    leaves = [
        task
        for task in dag.tasks
        if not task.is_teardown
        and all(dag.get_task(below).is_teardown for below in task.downstream_task_ids)
    ]
    assert [leaf.task_id for leaf in leaves] == ["keep_champion"]
    # It becomes `upstream_failed`, and not skipped, where something before it failed.
    assert leaves[0].trigger_rule == "none_failed_min_one_success"


def test_what_no_retry_can_mend_fails_a_branch_at_once(monkeypatch):
    from airflow.sdk.exceptions import AirflowFailException

    from factory.airflow import operators
    from factory.base.errors import TerminalError

    def refuse(self, context):
        raise TerminalError("no such thing")

    for kind in (operators.BranchStepOperator, operators.ShortCircuitStepOperator):
        monkeypatch.setattr(operators.PythonOperator, "execute", refuse)
        task = kind(task_id="t", python_callable=print)
        with pytest.raises(AirflowFailException, match="no such thing"):
            kind.execute.__wrapped__(task, {"dag": SimpleNamespace(has_on_failure_callback=False)})
