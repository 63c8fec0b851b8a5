"""The DAGs that are paused: a DAG that Airflow has not met before is, and events of datasets start none of them."""

import threading
from collections.abc import Sequence
from typing import Protocol

from factory.runtime.airflow_api import (
    AirflowClient,
    AirflowRefusedError,
    NoAnswerFromAirflowError,
)

_LOOKS = 5.0
"""Seconds between two looks."""


class Say(Protocol):
    """Told about DAGs, each once."""

    def __call__(self, news: Sequence[str], *, now_run: bool) -> None:
        """The ids in their order, and whether they were let run."""


class PausedDags(threading.Thread):
    """Names the DAGs that are paused, or lets them run, for as long as an Airflow is up.

    A thread, since a server that is stopped answers after a minute or never, and Ctrl-C is not to wait for it.
    """

    def __init__(self, airflow_url: str, *, say: Say, unpause: bool) -> None:
        """Nothing is asked yet.

        Args:
            airflow_url: Airflow's address.
            say: Told about DAGs, from the thread.
            unpause: Whether those that are paused shall run.
        """
        super().__init__(name="paused DAGs", daemon=True)
        self._airflow_url = airflow_url
        self._say = say
        self._unpause = unpause
        self._known: set[str] = set()
        self._stopped = threading.Event()

    def run(self) -> None:
        """Ask Airflow again and again."""
        with AirflowClient(self._airflow_url) as airflow:
            while not self._stopped.is_set():
                self._look(airflow)
                self._stopped.wait(_LOOKS)

    def stop(self) -> None:
        """Ask no more; a question that is under way is not waited for."""
        self._stopped.set()

    def _look(self, airflow: AirflowClient) -> None:
        try:
            paused = {dag.dag_id for dag in airflow.dags() if dag.is_paused}
            news = sorted(paused - self._known)
            if self._unpause:
                for dag_id in news:
                    airflow.unpause(dag_id)
        except (AirflowRefusedError, NoAnswerFromAirflowError):
            # Whoever looks after the components says what is wrong with them.
            return
        # One that a person pauses again stays so.
        self._known |= paused
        if news and not self._stopped.is_set():
            self._say(news, now_run=self._unpause)
