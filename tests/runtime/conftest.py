"""The shared Airflow, for tests that look at it as a runtime."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from factory.runtime.embedded import EmbeddedRuntime
    from tests.harness.airflow import Installation

DAGS = frozenset({"team.numbers", "team.letters", "team.model.train", "team.pair.train"})
"""What `chain.py` has."""


@pytest.fixture(scope="session")
def runtime(installation: "Installation") -> "EmbeddedRuntime":
    """It runs `chain.py` beside the teams of other tests."""
    airflow = installation.airflow

    def parsed() -> bool:
        return {dag.dag_id for dag in airflow.dags()} >= DAGS

    airflow.wait_until(parsed, "the four dags", seconds=60)
    return installation.runtime
