"""The end of a training document: gate, approval, promotion."""

from typing import Any

from factory.documents import document as parts
from factory.documents.installation import Places
from factory.models.promotion import Approval, Promotion

APPROVAL = "factory.airflow.approval.ApprovalStepOperator"
_ASKED = "ti.xcom_pull(task_ids='gate', key='approval')"


def promotion_tasks(promotion: Promotion, full_name: str, places: Places) -> dict[str, Any]:
    """The tasks after `register`; exactly one of `promote` and `keep_champion` comes to success.

    Args:
        promotion: The rules.
        full_name: The model, `team.model`.
        places: Where data lies.
    """
    tasks: dict[str, Any] = {
        "gate": parts.decorated(
            parts.BRANCH, "promotion.gate", {"promotion": parts.dump(promotion)}, "register"
        )
    }
    within: dict[str, Any] = {}
    after_gate: dict[str, Any] = {}
    if promotion.approval is not None and promotion.needs_approval:
        tasks["approve"] = _approve(promotion.approval)
        within = {"within": promotion.approval.response_timeout}
        # Without an approval being asked for, `approve` is skipped, and `promote` goes on.
        after_gate = {"trigger_rule": "none_failed_min_one_success"}
    tasks["promote"] = {
        **parts.task(
            "promotion.promote",
            within,
            "gate",
            *(("approve",) if within else ()),
            places=places,
            **after_gate,
        ),
        "outlets": [parts.model_asset(full_name)],
    }
    # A rejection skips all that follows `approve` directly. So the way to keep the champion leads past
    # `promote`: it is taken once that is skipped, and a `promote` that fails fails the run.
    tasks["keep_champion"] = parts.task(
        "promotion.keep_champion",
        within,
        "gate",
        *(("promote",) if within else ()),
        places=places,
        **after_gate,
    )
    return tasks


def _approve(approval: Approval) -> dict[str, Any]:
    """Airflow's human-in-the-loop operator, which waits without occupying a worker."""
    entry: dict[str, Any] = {
        "operator": APPROVAL,
        "subject": f"{{{{ {_ASKED}['subject'] }}}}",
        "body": f"{{{{ {_ASKED}['body'] }}}}",
        "response_timeout": parts.timedelta(approval.response_timeout),
        "defaults": "Approve" if approval.on_timeout == "approve" else "Reject",
        "dependencies": ["gate"],
    }
    if approval.assignees:
        entry["assigned_users"] = [{"id": user, "name": user} for user in approval.assignees]
    return entry
