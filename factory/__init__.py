"""One YAML file a team: data-engineering and ML DAGs on Apache Airflow, linked by datasets."""

from typing import Any

__all__ = ["load_dags"]


def load_dags(namespace: dict[str, Any]) -> None:
    """Put every healthy team's DAGs into `namespace`, the globals of an Airflow DAG file.

    When Airflow parses the file to start one task, only the DAG of that task is built.
    A team whose file has problems contributes nothing; `dags/config_errors.py` reports it.
    """
    from factory.airflow.load import load_dags as load

    load(namespace)
