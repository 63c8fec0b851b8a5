"""The operators that run steps."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from airflow.providers.standard.operators.python import (
    BranchPythonOperator,
    PythonOperator,
    ShortCircuitOperator,
)
from airflow.sdk import BaseOperator, Context
from airflow.sdk.definitions.context import context_merge
from airflow.sdk.definitions.param import ParamsDict
from airflow.sdk.exceptions import (
    AirflowFailException,
    AirflowSkipException,
    DownstreamTasksSkipped,
)

from factory.airflow.masking import mask_environment
from factory.airflow.pages import MlflowLink, SnapshotLink
from factory.airflow.run_failures import remember
from factory.airflow.storage_access import storage_access
from factory.airflow.task_run import TaskRun
from factory.airflow.templates import template_values
from factory.base.errors import FactoryError, NothingToDoError, TerminalError
from factory.base.texts import wrapped

logger = logging.getLogger(__name__)


@contextmanager
def _failures(context: Context) -> Iterator[None]:
    """Say what a step's error means in Airflow: that trying again cannot help, or that nothing is wrong.

    Leaves the error for the message about the run, if there is to be one.
    """
    try:
        yield
    except DownstreamTasksSkipped:
        raise  # how a branch leaves
    except AirflowSkipException as skipped:
        context["ti"].task.skipped_because = str(skipped)
        raise
    except NothingToDoError as nothing:
        logger.info("Nothing to do: %s", wrapped(str(nothing)))
        context["ti"].task.skipped_because = str(nothing)
        raise AirflowSkipException(str(nothing)) from nothing
    except Exception as error:
        if context["dag"].has_on_failure_callback:
            remember(context["ti"], error)
        if not isinstance(error, FactoryError):
            raise
        # A line of its own: Airflow shows an error's text below its name, among twenty frames of itself.
        logger.error("%s", wrapped(str(error)))  # noqa: TRY400
        logger.debug("Where it was raised:", exc_info=error)
        if isinstance(error, TerminalError):
            raise AirflowFailException(str(error)) from None
        raise error.with_traceback(None) from None


class _Step(BaseOperator):  # type: ignore[misc]
    """What the operators of steps have in common.

    `shared` is what all tasks of the DAG share, from the DAG's `default_args`: see
    `factory.documents.shared`. A function with a parameter `run` gets it as a `TaskRun`, and storage
    is reached through the connection that it names, if there is one. With `notify`,
    `{"event", "targets"}`, those targets are told of its success: see `factory.airflow.plugin`.
    """

    skipped_because: str | None = None
    """Why there was nothing to do, once the task has run."""

    # One for all of them: Airflow merges defaults and copies params anew in the `__init__` of each class.
    def __init__(
        self,
        *,
        shared: Mapping[str, Any] | None = None,
        notify: Mapping[str, Any] | None = None,
        **arguments: Any,
    ) -> None:
        super().__init__(**arguments)
        self.shared = shared
        self.notify = notify
        if shared is not None:
            # Airflow copies the DAG's params into every task, to store and to check them there again.
            # A run's params come from the DAG all the same.
            self.params = ParamsDict()

    def get_template_env(self, dag: Any = None) -> Any:
        """Airflow's, but one that reads no files: `include` would show those beside the DAG files."""
        found = super().get_template_env(dag)
        found.loader = None
        return found

    def _render(self, template: Any, context: Context, dag: Any = None) -> Any:
        """A template, filled with what a team may know: Airflow's context has every password."""
        return super()._render(template, template_values(context), dag)

    def execute(self, context: Context) -> Any:
        """Run the function.

        Raises:
            AirflowFailException: The step said that trying again cannot help.
        """
        mask_environment()
        connection = None
        if self.shared is not None:
            run = TaskRun(self.shared, self, context)
            connection = run.shared.storage_connection
            context_merge(context, run=run)
        with _failures(context), storage_access(connection):
            return super().execute(context)


class BranchStepOperator(_Step, BranchPythonOperator):  # type: ignore[misc]
    """Calls a step's task function, which returns the ids of the tasks to go on with."""


class ShortCircuitStepOperator(_Step, ShortCircuitOperator):  # type: ignore[misc]
    """Calls a step's task function, which returns whether to go on at all."""


class StepOperator(_Step, PythonOperator):  # type: ignore[misc]
    """Calls a step's task function; what no retry can mend fails at once.

    A function that returns a mapping with `reads` or `writes`, lists of
    `{"dataset", "uri", "version"}`, has these versions named in its OpenLineage events; with `tables`, a list
    of `{"namespace", "name"}`, these tables of databases too.
    """

    def execute(self, context: Context) -> Any:
        """Run the function, and keep the versions that it has read and written.

        Raises:
            AirflowFailException: The step said that trying again cannot help.
        """
        self._lineage: Mapping[str, list[dict[str, Any]]] = {}
        result = super().execute(context)
        if isinstance(result, Mapping):
            self._lineage = {
                "inputs": result.get("reads", []),
                "outputs": result.get("writes", []),
                "tables": result.get("tables", []),
            }
        return result

    def get_openlineage_facets_on_complete(self, _task_instance: Any) -> Any:
        """The versions of what was read and written; called by the OpenLineage provider."""
        from factory.airflow.lineage import operator_lineage

        return operator_lineage(getattr(self, "_lineage", {}), self)


class TrackedStepOperator(StepOperator):
    """A step with a page in MLflow, to which a button on the task's page leads."""

    operator_extra_links = (MlflowLink(),)
    mlflow_page: str | None = None
    """Set by its function."""


class PublishStepOperator(StepOperator):
    """A step that publishes a snapshot, to whose page a button on the task's page leads."""

    operator_extra_links = (SnapshotLink(),)
    snapshot_page: str | None = None
    """Set by its function."""


class WaitStepOperator(StepOperator):
    """Calls a step's task function, which may leave the worker until there is something to read.

    It is called again then, or when its time is over.
    """

    until: float | None = None
    """When the time to wait is over, in seconds of the epoch; None when it has not begun."""

    def execute(self, context: Context, event: dict[str, Any] | None = None) -> Any:
        """Run the function, for the first time or after it has waited.

        Raises:
            AirflowFailException: The step said that trying again cannot help.
        """
        self.until = event["until"] if event else None
        return super().execute(context)


class TrainingJobOperator(TrackedStepOperator):
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
