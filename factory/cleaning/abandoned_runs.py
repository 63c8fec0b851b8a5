"""MLflow runs of trainings that were killed: they would be RUNNING for ever."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from factory.cleaning.leftover import IsLive, Leftover, Stays
from factory.models.tracking import Tracking

_OF_DAGS = "attributes.status = 'RUNNING' and tags.`airflow.dag_id` LIKE '%'"


def abandoned_runs(
    tracking: Tracking, is_live: IsLive, *, now: float, grace: float
) -> Iterator[Leftover | Stays]:
    """The MLflow runs that are open, and whose runs of Airflow are over; removing one ends it as KILLED.

    Runs that no DAG of the factory has started are not looked at.

    Args:
        tracking: The MLflow server.
        is_live: Asked of each run of Airflow.
        now: The time, in seconds of the epoch.
        grace: Seconds after its start for which a run is not touched.

    Raises:
        TrackingError: The MLflow server does not answer.
    """
    for run in _open_runs(tracking):
        dag_id, run_id = run.data.tags["airflow.dag_id"], run.data.tags["airflow.run_id"]
        if now - run.info.start_time / 1000 <= grace:
            continue
        what = f"MLflow run {run.info.run_id} of {dag_id} {run_id}"
        live = is_live(dag_id, run_id, None)
        if live is None:
            yield Stays(f"{what}: no Airflow says whether it is over")
        elif not live:
            end = partial(tracking.finish, run.info.run_id, "KILLED")
            yield Leftover(f"{what}, which was open still", 0, end)


def _open_runs(tracking: Tracking) -> list[Any]:
    with tracking.asked() as client:
        experiments = list(_pages(lambda token: client.search_experiments(page_token=token)))
        ids = [one.experiment_id for one in experiments]
        return list(_pages(lambda token: client.search_runs(ids, _OF_DAGS, page_token=token)))


def _pages(ask: Callable[[str | None], Any]) -> Iterator[Any]:
    """What MLflow answers a page at a time."""
    page = ask(None)
    yield from page
    while page.token:
        page = ask(page.token)
        yield from page
