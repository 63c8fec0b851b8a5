"""DAGs that Airflow believes to have all the active runs that they may have, while they have none.

The scheduler counts a DAG's active runs when one ends, and the DAG processor when it writes down what it has parsed. Where
the run ends between the DAG processor's count and its commit, the older count is what stays: the DAG is passed over,
whatever its assets have to tell, until its file is parsed once more (Airflow 3.3; apache/airflow#71998, #73032).
"""

import logging
from typing import Any, cast

from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun
from airflow.utils.session import NEW_SESSION, provide_session
from airflow.utils.state import DagRunState
from airflow.utils.types import DagRunType
from sqlalchemy import CursorResult, func, select, update
from sqlalchemy.orm import Session

log = logging.getLogger(__name__)


@provide_session  # type: ignore[untyped-decorator]
def unblock_dags(*, session: Session = NEW_SESSION) -> None:
    """Let DAGs go on that are held back by runs that have ended.

    A run that begins at this moment may make a DAG look free that is not. That does no harm: Airflow counts again before
    it starts one.
    """
    active = (
        select(func.count())
        .select_from(DagRun)
        .where(
            DagRun.dag_id == DagModel.dag_id,
            DagRun.state.in_((DagRunState.RUNNING, DagRunState.QUEUED)),
            DagRun.run_type != DagRunType.BACKFILL_JOB,
        )
        .scalar_subquery()
    )
    statement = (
        update(DagModel)
        .where(DagModel.exceeds_max_non_backfill, active < DagModel.max_active_runs)
        .values(exceeds_max_non_backfill=False)
        .execution_options(synchronize_session=False)
    )
    found = cast("CursorResult[Any]", session.execute(statement))
    if found.rowcount:
        log.info("%d DAGs were held back by runs that have ended", found.rowcount)
