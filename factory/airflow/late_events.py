"""Asset events that Airflow would forget: those that come while an earlier one waits for the same DAG.

Airflow (up to 3.3) keeps one entry for an asset and a DAG that it starts, with the time of the first event. The run that is
made of it has the events up to that time, and the entry is taken away: what came later starts nothing until the
asset has news once more (apache/airflow#56050). A DAG with one run at a time, as all of ours are, meets this
whenever its asset is published twice during a run: what was published last would wait for the next publication.
"""

import logging
from collections.abc import Mapping
from typing import Any

log = logging.getLogger(__name__)


def queue_late_events(dag_run: Any) -> None:
    """Make Airflow start one more run of a DAG whose assets have had events that no run has, and that nothing waits for.

    Called in the scheduler, within the transaction in which a run begins or ends.

    Args:
        dag_run: The run, one that assets have started; for others nothing is done.
    """
    from airflow.models.asset import AssetDagRunQueue, AssetEvent, DagScheduleAssetReference
    from airflow.models.dagrun import DagRun
    from airflow.utils.types import DagRunType
    from sqlalchemy import func, select
    from sqlalchemy.orm import object_session

    session = object_session(dag_run)
    by_event = (
        "asset_event_id" in AssetDagRunQueue.__table__.columns
    )  # Airflow 3.4 keeps one for each event
    if session is None or by_event or dag_run.run_type != DagRunType.ASSET_TRIGGERED:
        return
    last = (
        select(func.max(DagRun.run_after))
        .where(DagRun.dag_id == dag_run.dag_id, DagRun.run_type == DagRunType.ASSET_TRIGGERED)
        .scalar_subquery()
    )
    waiting = select(AssetDagRunQueue.asset_id).where(
        AssetDagRunQueue.target_dag_id == dag_run.dag_id
    )
    late = session.execute(
        select(AssetEvent.asset_id, func.max(AssetEvent.timestamp))
        .join(DagScheduleAssetReference, DagScheduleAssetReference.asset_id == AssetEvent.asset_id)
        .where(
            DagScheduleAssetReference.dag_id == dag_run.dag_id,
            AssetEvent.timestamp > last,
            AssetEvent.asset_id.not_in(waiting),
        )
        .group_by(AssetEvent.asset_id)
    ).all()
    for asset_id, at in late:
        log.info(
            "%s: an event of asset %s at %s starts a run of its own", dag_run.dag_id, asset_id, at
        )
        entry = {"asset_id": asset_id, "target_dag_id": dag_run.dag_id, "created_at": at}
        session.execute(_insert_unless_there(AssetDagRunQueue, session, entry))


def _insert_unless_there(table: Any, session: Any, row: Mapping[str, Any]) -> Any:
    """A statement that does nothing where an event has come meanwhile: an error would end the scheduler's transaction."""
    from sqlalchemy.dialects import mysql, postgresql, sqlite

    name = session.get_bind().dialect.name
    if name == "mysql":
        return mysql.insert(table).values(**row).prefix_with("IGNORE")
    insert = postgresql.insert if name == "postgresql" else sqlite.insert
    return insert(table).values(**row).on_conflict_do_nothing()
