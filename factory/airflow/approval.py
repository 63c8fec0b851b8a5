"""Airflow's approval, which also says afterwards who answered."""

import getpass
from typing import Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import Context
from airflow.sdk.timezone import utcnow


class ApprovalStepOperator(ApprovalOperator):  # type: ignore[misc]
    """Waits for somebody to approve or reject; the answer is in the XCom `answer`.

    Airflow's own operator skips what follows after a rejection by an exception, and leaves no
    result behind: nobody would know who rejected.
    """

    can_ask = True
    """False where nobody could answer, as in `factory run`; it is rejected then."""

    def execute(self, context: Context) -> Any:
        """Ask, and wait for the answer."""
        if self.can_ask:
            return super().execute(context)
        event = {
            "chosen_options": [self.REJECT],
            "params_input": {},
            "responded_at": utcnow(),
            "responded_by_user": {"id": "factory", "name": "`factory run`, which can ask nobody"},
        }
        return self.execute_complete(context, event)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Note the answer and go on, or skip what follows directly."""
        if "chosen_options" in event:
            user = event.get("responded_by_user")
            answer = {
                "approved": event["chosen_options"] == [self.APPROVE],
                # Nobody has answered where time ran out and `defaults` were taken.
                "by": _who(user["name"]) if user else None,
                "within": int(self.response_timeout.total_seconds()),
            }
            context["ti"].xcom_push(key="answer", value=answer)
        return super().execute_complete(context, event)


_ANONYMOUS = "Anonymous"
"""Everybody, to an Airflow without log-in."""


def _who(name: str) -> str:
    return (
        name
        if name != _ANONYMOUS
        else f"somebody at {getpass.getuser()}'s Airflow, which has no log-in"
    )
