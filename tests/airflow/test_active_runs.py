"""DAGs that were held back by runs that have ended, in a database of Airflow's."""

import pytest
from airflow.models.base import Base
from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun
from airflow.models.tasklog import LogTemplate
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from factory.airflow.active_runs import unblock_dags

HELD = "sea.tides.train"


@pytest.fixture
def session():
    """A database with a DAG that is held back, and may have one run at a time."""
    engine = create_engine("sqlite://")
    Base.metadata.create_all(
        engine, tables=[one.__table__ for one in (DagModel, DagRun, LogTemplate)]
    )
    with Session(engine) as session:
        dag = DagModel(dag_id=HELD, bundle_name="dags-folder", max_active_runs=1)
        dag.exceeds_max_non_backfill = True
        session.add(dag)
        yield session


@pytest.mark.parametrize(
    ("state", "kind", "is_held"),
    [
        ("success", "asset_triggered", False),
        ("failed", "manual", False),
        ("running", "backfill", False),
        ("running", "asset_triggered", True),
        ("queued", "manual", True),
    ],
)
def test_only_a_run_that_is_active_holds_a_dag_back(session, state, kind, is_held):
    session.add(DagRun(dag_id=HELD, run_id="one", run_type=kind, state=state))
    unblock_dags(session=session)
    assert session.get(DagModel, HELD, populate_existing=True).exceeds_max_non_backfill == is_held
