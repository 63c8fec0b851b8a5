"""The tasks that decide what becomes of a trained model, and whether to train one at all."""

from typing import Any

from airflow.sdk.exceptions import AirflowSkipException

from factory.airflow.tasks.inputs import chosen
from factory.airflow.tasks.trigger import trigger_of
from factory.airflow.tasks.workspace import folder

__all__ = ["gate", "keep_champion", "promote", "retrain"]

_NEXT = {"promote": "promote", "approve": "approve", "keep": "keep_champion"}


def retrain(
    *,
    model: str,
    rules: dict[str, Any],
    storage: str,
    ti: Any,
    dag_run: Any,
) -> bool:
    """Go on only if it is worth it; why, or why not, is in the log and in the XCom `reason`."""
    from datetime import UTC, datetime

    from factory.lake.table import Lake
    from factory.models import registry
    from factory.models.promotion import RetrainWhen
    from factory.models.retrain import retrain as step

    found = step(
        RetrainWhen.model_validate(rules),
        registry.newest(model),
        chosen(ti),
        lake=Lake(storage),
        trigger=trigger_of(model, dag_run),
        now=datetime.now(UTC),
    )
    ti.xcom_push(key="reason", value=found.reason)
    return found.train


def gate(
    *, model: str, config: dict[str, Any], promotion: dict[str, Any], workspace: str, ti: Any
) -> str:
    """Compare the new version with the champion on the same rows.

    Returns:
        The task to go on with.
    """
    from factory.models.gate import gate as step
    from factory.models.promotion import Promotion
    from factory.models.tracking import Tracking
    from factory.training.holdout import FinalTest
    from factory.training.model import Model

    registered = ti.xcom_pull(task_ids="register")
    decision = step(
        FinalTest.from_json(ti.xcom_pull(task_ids="test")),
        Model.model_validate(config),
        Promotion.model_validate(promotion),
        folder(workspace, ti),
        name=model,
        version=int(registered["version"]),
        mlflow_run_id=registered["mlflow_run_id"],
        tracking=Tracking(),
    )
    ti.xcom_push(key="decision", value=decision.as_json())
    if decision.verdict == "approve":
        ti.xcom_push(
            key="approval",
            value={
                "subject": f"Put {model} version {decision.version} into production?",
                "body": f"{decision.reason.capitalize()}.\n\n{decision.table()}",
            },
        )
    return _NEXT[decision.verdict]


def promote(*, ti: Any, outlet_events: Any, within: int | None = None) -> dict[str, Any]:
    """Put the new version into production and emit the model's asset event."""
    from factory.models.promote import promote as step
    from factory.models.tracking import Tracking

    outcome, event = step(
        _decision(ti),
        _answer(ti, within),
        by=f"Airflow run {ti.run_id} of {ti.dag_id}",
        tracking=Tracking(),
    )
    outlet_events[ti.task.outlets[0]].extra = event
    return outcome.as_json()


def keep_champion(*, model: str, ti: Any, within: int | None = None) -> dict[str, Any]:
    """Leave the version in production where it is, and say why.

    Raises:
        AirflowSkipException: The new version was promoted after all: its approval came.
    """
    from factory.models.promote import keep as step
    from factory.models.tracking import Tracking

    answer = _answer(ti, within)
    if answer is not None and answer.approved:
        raise AirflowSkipException(f"{model}: {answer}, and promoted")
    return step(_decision(ti), answer, tracking=Tracking()).as_json()


def _decision(ti: Any) -> Any:
    from factory.models.gate import Decision

    return Decision.from_json(ti.xcom_pull(task_ids="gate", key="decision"))


def _answer(ti: Any, within: int | None) -> Any:
    """What came of asking; None where nobody was asked."""
    from factory.models.promote import Answer

    if within is None:
        return None
    answer = ti.xcom_pull(task_ids="approve", key="answer")
    return Answer(**answer, within=within) if answer else None
