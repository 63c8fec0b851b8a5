"""The operator of tasks that wait for a training job."""

from typing import Any

from airflow.sdk import Context

from factory.airflow.operators import StepOperator


class TrainingJobOperator(StepOperator):
    """Calls a step's task function, which may leave the worker while its job is at work.

    It is called again when the job has ended, and then takes the job's result.
    """

    is_asked_to_end = False
    """Whether the task was asked to end; its function looks here while it waits."""
    job: str | None = None
    """The job that was waited for, when the task's function is called again after that."""

    def execute(self, context: Context, event: dict[str, Any] | None = None) -> Any:
        """Run the function, for the first time or after the job's end.

        Raises:
            AirflowFailException: The step said that trying again cannot help.
        """
        self.job = event["job"] if event else None
        return super().execute(context)

    def on_kill(self) -> None:
        """Take note; Airflow ends the task five seconds later."""
        self.is_asked_to_end = True
