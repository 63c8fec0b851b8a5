"""The tasks that decide what becomes of a trained model, and whether to train one at all."""

from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from factory.airflow.task_run import TaskRun

if TYPE_CHECKING:
    from factory.models.registry import Version

__all__ = ["gate", "keep_champion", "promote", "retrain"]

_NEXT = {"promote": "promote", "approve": "approve", "keep": "keep_champion"}


def retrain(*, run: TaskRun, rules: dict[str, Any]) -> bool:
    """Go on only if it is worth it; why, or why not, is in the log and in the XCom `reason`."""
    from factory.models import registry

    return is_worth_it(run, rules, registry.newest(run.model_name))


def is_worth_it(run: TaskRun, rules: dict[str, Any], newest: "Version | None") -> bool:
    """Whether the rules let a model be trained whose newest version this is; keeps why in the XCom `reason`."""
    from datetime import UTC, datetime

    from factory.models.retraining import RetrainWhen
    from factory.models.retraining import retrain as step

    found = step(
        RetrainWhen.model_validate(rules),
        newest,
        run.snapshots,
        lake=run.lake,
        trigger=run.trigger,
        now=datetime.now(UTC),
    )
    run.ti.xcom_push(key="reason", value=found.reason)
    return found.train


def gate(*, run: TaskRun, promotion: dict[str, Any]) -> str:
    """Compare the new version with the champion on the same rows.

    Returns:
        The task to go on with.
    """
    from factory.models.gate import gate as step
    from factory.models.promotion import Promotion
    from factory.models.tracking import Tracking
    from factory.training.final_test import FinalTest
    from factory.training.split import DividedRows

    registered, tracking = run.result("register"), Tracking()
    decision = step(
        DividedRows.from_json(run.result("split")["split"]),
        FinalTest.from_json(run.result("test")),
        run.model,
        Promotion.model_validate(promotion),
        run.folder,
        name=run.model_name,
        version=registered["version"],
        mlflow_run_id=registered["mlflow_run_id"],
        tracking=tracking,
    )
    run.ti.xcom_push(key="decision", value=decision.as_json())
    if decision.verdict == "approve":
        run.ti.xcom_push(
            key="approval",
            value={
                "subject": f"Put {run.model_name} version {decision.version} into production?",
                "body": _question(decision, run, tracking),
            },
        )
    return _NEXT[decision.verdict]


def _question(decision: Any, run: TaskRun, tracking: Any) -> str:
    from factory.airflow.pages import snapshot_url
    from factory.models import registry
    from factory.models.question import approval_question

    def version(number: int) -> Any:
        return registry.version(decision.model, number, tracking=tracking)

    return approval_question(
        decision,
        version(decision.version),
        None if decision.champion is None else version(decision.champion),
        tracking=tracking,
        lake=run.lake,
        page=run.page,
        snapshot_page=snapshot_url,
    )


def promote(*, run: TaskRun, outlet_events: Any) -> dict[str, Any]:
    """Put the new version into production and emit the model's asset event."""
    from factory.models.gate import promote as step
    from factory.models.tracking import Tracking

    decision, tracking = _decision(run), Tracking()
    outcome, event = step(
        decision,
        answer_of(run),
        by=f"Airflow run {run.ti.run_id} of {run.ti.dag_id}",
        tracking=tracking,
    )
    run.link(tracking.version_page(decision.model, decision.version))
    outlet_events[run.ti.task.outlets[0]].extra = event
    return outcome.as_json()


def keep_champion(*, run: TaskRun) -> dict[str, Any]:
    """Leave the version in production where it is, and say why.

    Raises:
        AirflowSkipException: The new version was promoted after all: its approval came.
    """
    from factory.models.gate import keep as step
    from factory.models.tracking import Tracking

    answer = answer_of(run)
    if answer is not None and answer.approved:
        raise AirflowSkipException(f"{run.model_name}: {answer}, and promoted")
    decision, tracking = _decision(run), Tracking()
    run.link(tracking.version_page(decision.model, decision.version))
    return step(decision, answer, tracking=tracking).as_json()


def _decision(run: TaskRun) -> Any:
    from factory.models.gate_decision import GateDecision

    return GateDecision.from_json(run.result("gate", "decision"))


def answer_of(run: TaskRun) -> Any:
    """What came of asking; None where nobody was asked."""
    from factory.models.gate_decision import ApprovalAnswer

    answer = run.result("approve", "answer")
    return ApprovalAnswer(**answer) if answer else None
