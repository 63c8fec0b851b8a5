"""What Airflow loads from this package by itself, in each of its processes: keep it light."""

from airflow.plugins_manager import AirflowPlugin

from factory.airflow import listener


class FactoryPlugin(AirflowPlugin):  # type: ignore[misc]
    """Messages about what tasks bring about, and the right end of runs that a person stops."""

    name = "factory"
    listeners = [listener]  # noqa: RUF012 - as Airflow's class has it
