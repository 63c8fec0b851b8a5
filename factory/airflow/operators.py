"""The operator that runs a step."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from airflow.providers.standard.operators.python import (
    BranchPythonOperator,
    PythonOperator,
    ShortCircuitOperator,
)
from airflow.sdk import Context
from airflow.sdk.exceptions import (
    AirflowFailException,
    AirflowSkipException,
    DownstreamTasksSkipped,
)

from factory.airflow.run_failures import remember
from factory.airflow.storage_access import storage_access
from factory.base.errors import TerminalError


@contextmanager
def _failures(context: Context) -> Iterator[None]:
    """Leave an error for the message about the run, if there is to be one.

    And turn a step's word that trying again cannot help into Airflow's.
    """
    try:
        yield
    except (AirflowSkipException, DownstreamTasksSkipped):
        raise  # no failures: the second is how a branch leaves
    except Exception as error:
        if context["dag"].has_on_failure_callback:
            remember(context["ti"], error)
        if isinstance(error, TerminalError):
            raise AirflowFailException(str(error)) from error
        raise


class BranchStepOperator(BranchPythonOperator):  # type: ignore[misc]
    """Calls a step's task function, which returns the ids of the tasks to go on with."""

    def __init__(self, *, storage_connection: str | None = None, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.storage_connection = storage_connection

    def execute(self, context: Context) -> Any:
        """Run the function and skip the tasks that it does not name.

        Raises:
            AirflowFailException: The step said that trying again cannot help.
        """
        with _failures(context), storage_access(self.storage_connection):
            return super().execute(context)


class ShortCircuitStepOperator(ShortCircuitOperator):  # type: ignore[misc]
    """Calls a step's task function, which returns whether to go on at all."""

    def __init__(self, *, storage_connection: str | None = None, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.storage_connection = storage_connection

    def execute(self, context: Context) -> Any:
        """Run the function and skip all that follows unless it says to go on.

        Raises:
            AirflowFailException: The step said that trying again cannot help.
        """
        with _failures(context), storage_access(self.storage_connection):
            return super().execute(context)


class StepOperator(PythonOperator):  # type: ignore[misc]
    """Calls a step's task function; what no retry can mend fails at once.

    A function that returns a mapping with `reads` or `writes`, lists of
    `{"dataset", "uri", "version"}`, has these versions named in its OpenLineage events.

    With `notify`, `{"event", "targets"}`, those targets are told of its success: see
    `factory.airflow.listener`.

    `storage_connection` names the Airflow connection by which it reaches S3, if there is one.
    """

    def __init__(
        self,
        *,
        notify: Mapping[str, Any] | None = None,
        storage_connection: str | None = None,
        **arguments: Any,
    ) -> None:
        super().__init__(**arguments)
        self.notify = notify
        self.storage_connection = storage_connection

    def execute(self, context: Context) -> Any:
        """Run the function.

        Raises:
            AirflowFailException: The step said that trying again cannot help.
        """
        self._lineage: Mapping[str, list[dict[str, Any]]] = {}
        with _failures(context), storage_access(self.storage_connection):
            result = super().execute(context)
        if isinstance(result, Mapping):
            self._lineage = {
                "inputs": result.get("reads", []),
                "outputs": result.get("writes", []),
            }
        return result

    def get_openlineage_facets_on_complete(self, _task_instance: Any) -> Any:
        """The versions of what was read and written; called by the OpenLineage provider."""
        from factory.airflow.lineage import operator_lineage

        return operator_lineage(getattr(self, "_lineage", {}), self)
