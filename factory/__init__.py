"""One YAML file a team: data-engineering and ML DAGs on Apache Airflow, linked by datasets."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from factory.airflow.assets import Asset
    from factory.notebook import Champion

__all__ = ["champion", "dataset", "history", "load_dags", "model", "read"]


def load_dags(namespace: dict[str, Any]) -> None:
    """Put every healthy team's DAGs into `namespace`, the globals of an Airflow DAG file.

    When Airflow parses the file to start one task, only the DAG of that task is built.
    A team whose file has problems contributes nothing; `dags/config_errors.py` reports it.
    """
    from factory.airflow.load import load_dags as load

    load(namespace)


def dataset(name: str) -> "Asset":
    """The asset of a dataset, for `schedule` and `inlets` of a DAG in Python, in the project's `dags/`.

    Args:
        name: Its full name, `team.dataset`; one of predictions is a dataset too.

    Raises:
        ValueError: No team has such a dataset, or its file cannot be read; the message says what to write instead.
    """
    from factory.airflow.assets import dataset_asset

    return dataset_asset(name, _asking())


def model(name: str) -> "Asset":
    """The asset of a model, whose events say that a version went into production; as `dataset` otherwise.

    Args:
        name: Its full name, `team.model`.

    Raises:
        ValueError: No team has such a model, or its file cannot be read.
    """
    from factory.airflow.assets import champion_asset

    return champion_asset(name, _asking())


def read(name: str, version: int | None = None) -> "pa.Table":
    """The rows of a dataset, as they were published; Polars, DuckDB and `.to_pandas()` take them.

    Args:
        name: Its full name, `team.dataset`.
        version: The snapshot; the newest if left out.

    Raises:
        FactoryError: There is no such dataset or snapshot; says what there is.
    """
    from factory.notebook import read

    return read(name, version)


def champion(name: str) -> "Champion":
    """The version of a model that is in production: its number, its metrics, and `predict`.

    The project's MLflow is started for as long as it takes, unless it runs: with `factory up` this is quicker.

    Args:
        name: Its full name, `team.model`.

    Raises:
        FactoryError: There is no such model, or no version of it is in production.
    """
    from factory.notebook import champion

    return champion(name)


def history(name: str) -> "pd.DataFrame":
    """The versions of a dataset or a model, the newest first: when, of what, how many rows or how good.

    Args:
        name: Its full name, `team.dataset` or `team.model`.

    Raises:
        FactoryError: There is nothing of this name.
    """
    from factory.notebook import history

    return history(name)


def _asking() -> dict[str, Any]:
    """The globals of the DAG file that has called `dataset` or `model`."""
    from inspect import currentframe

    frame = currentframe()
    while frame is not None and frame.f_globals is globals():
        frame = frame.f_back
    return {} if frame is None else frame.f_globals
