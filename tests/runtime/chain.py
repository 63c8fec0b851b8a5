"""Airflow dags of the runtime's tests: a producer, what its asset starts, and what waits longer."""

import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from airflow.sdk import Asset, Metadata, dag, task

numbers = Asset("team.numbers", uri="file:///lake/team/numbers")
letters = Asset("team.letters", uri="file:///lake/team/letters")
BEGIN = datetime(2024, 1, 1, tzinfo=UTC)


@dag(dag_id="team.numbers", schedule=None, start_date=BEGIN)
def producer() -> None:
    @task(outlets=[numbers])
    def publish():
        print("three numbers")
        yield Metadata(numbers, {"version": 7, "rows": 3})

    publish()


@dag(dag_id="team.letters", schedule=None, start_date=BEGIN)
def silent_producer() -> None:
    @task(outlets=[letters])
    def publish() -> None:
        raise RuntimeError("no letters today")

    publish()


@dag(dag_id="team.model.train", schedule=[numbers], start_date=BEGIN)
def consumer() -> None:
    @task(map_index_template="C={{ trial }}")
    def fit(trial: int) -> int:
        return trial

    @task
    def look() -> dict[str, object]:
        return {
            "loaded": sorted({"pandas", "sklearn", "mlflow", "deltalake"} & set(sys.modules)),
            "threads": len(list(Path("/proc/self/task").iterdir())),
            "tracking": os.environ["MLFLOW_TRACKING_URI"],
            "configs": os.environ["FACTORY_CONFIGS"],
        }

    @task
    def register() -> dict[str, object]:
        return {"model": "team.model", "version": "1", "trials": 2, "metric": "r2", "score": 0.5}

    fit.expand(trial=[1, 2]) >> look() >> register()


@dag(dag_id="team.pair.train", schedule=[numbers, letters], start_date=BEGIN)
def waiting_consumer() -> None:
    @task
    def fit() -> None: ...

    fit()


producer()
silent_producer()
consumer()
waiting_consumer()
