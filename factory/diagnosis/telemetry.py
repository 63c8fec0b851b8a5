"""Telemetry of dag-factory and MLflow, which tell their makers of each use unless somebody says no."""

import os
from collections.abc import Iterator

from factory.diagnosis.finding import Diagnosis, Examined

DAG_FACTORY = "AIRFLOW__DAG_FACTORY__ENABLE_TELEMETRY"
MLFLOW = "MLFLOW_DISABLE_TELEMETRY"
ALL = "DO_NOT_TRACK"
_YES, _NO = ("1", "true", "t", "yes", "on"), ("0", "false", "f", "no", "off")


def check_dag_factory(examined: Examined) -> Iterator[Diagnosis]:
    """Whether dag-factory tells nothing."""
    is_off = _says(DAG_FACTORY, _NO) or _says(ALL, _YES)
    yield _diagnosis("dag-factory telemetry", f"{DAG_FACTORY}=false", examined, is_off=is_off)


def check_mlflow(examined: Examined) -> Iterator[Diagnosis]:
    """Whether MLflow tells nothing."""
    is_off = _says(MLFLOW, _YES) or _says(ALL, _YES)
    yield _diagnosis("MLflow telemetry", f"{MLFLOW}=true", examined, is_off=is_off)


def _says(variable: str, words: tuple[str, ...]) -> bool:
    return os.environ.get(variable, "").strip().lower() in words


def _diagnosis(subject: str, setting: str, examined: Examined, *, is_off: bool) -> Diagnosis:
    if is_off:
        return Diagnosis(subject, "ok", "off")
    if examined.is_embedded:
        return Diagnosis(subject, "ok", "off in what `factory up` starts")
    text = "is not switched off in this environment"
    return Diagnosis(subject, "warning", text, f"in each component of Airflow, set {setting}")
