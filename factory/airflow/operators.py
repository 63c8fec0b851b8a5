"""The operator that runs a step."""

from collections.abc import Mapping
from typing import Any

from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowFailException

from factory.errors import TerminalError


class StepOperator(PythonOperator):  # type: ignore[misc]
    """Calls a step's task function; what no retry can mend fails at once.

    A function that returns a mapping with `reads` or `writes`, lists of
    `{"dataset", "uri", "version"}`, has these versions named in its OpenLineage events.
    """

    def execute(self, context: Context) -> Any:
        """Run the function.

        Raises:
            AirflowFailException: The step said that trying again cannot help.
        """
        self._lineage: Mapping[str, list[dict[str, Any]]] = {}
        try:
            result = super().execute(context)
        except TerminalError as error:
            raise AirflowFailException(str(error)) from error
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
