"""What templates of steps are filled with: a run and its dates, and nobody's passwords."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pendulum
import pytest
from airflow.sdk import DAG
from jinja2.exceptions import SecurityError, UndefinedError

from factory.airflow.operators import StepOperator

BERLIN = pendulum.timezone("Europe/Berlin")
DAY = datetime(2024, 5, 6, tzinfo=UTC)


class Connections:
    """Stands for Airflow's access to connections: asking is the failure."""

    def __getattr__(self, name):
        raise AssertionError(f"the connection {name} was read")


def xcoms(*, task_ids):
    return {"create_box": {"name": "staging"}}.get(task_ids)


def context(dag, *, is_dated=True):
    instance = SimpleNamespace(
        run_id="r1",
        dag_id="sea.fish",
        task_id="ingest",
        try_number=2,
        xcom_pull=xcoms,
    )
    night = datetime(2024, 5, 6, 22, 30, tzinfo=UTC)
    return {
        "dag": dag,
        "dag_run": SimpleNamespace(logical_date=DAY if is_dated else None, run_after=night),
        "ti": instance,
        "task": None,
        "params": {"day": 3},
        "ds": "2024-05-06",
        "data_interval_start": DAY,
        "run_id": "r1",
        "conn": Connections(),
        "var": Connections(),
        "macros": SimpleNamespace(os="the module"),
    }


@pytest.fixture
def rendered():
    def render(text):
        with DAG("sea.fish", schedule=None) as dag:
            task = StepOperator(task_id="ingest", python_callable=print, op_kwargs={"source": text})
        task.render_template_fields(context(dag))
        return task.op_kwargs["source"]

    return render


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("{{ ds }}", "2024-05-06"),
        ("{{ data_interval_start.year }}", "2024"),
        (
            "{{ run.id }} {{ run.dag_id }} {{ run.task_id }} {{ run.try_number }}",
            "r1 sea.fish ingest 2",
        ),
        ("{{ run_id }} {{ params.day }}", "r1 3"),
        ("{{ run.date }} {{ run.time.isoformat() }}", "2024-05-06 2024-05-06T00:00:00+00:00"),
        ("{{ resource('box').name }}", "staging"),
        ({"nested": ["{{ ds }}"]}, {"nested": ["2024-05-06"]}),
    ],
)
def test_the_run_and_its_dates_are_there(rendered, text, result):
    assert rendered(text) == result


@pytest.mark.parametrize(
    "text",
    [
        "{{ conn.vault.password }}",
        "{{ var.value.key }}",
        "{{ macros.os }}",
        "{{ ti.xcom_pull('a') }}",
        "{{ dag.dag_id }}",
        "{{ task.task_id }}",
        "{{ resource.__closure__[0].cell_contents }}",
        "{{ run.__class__.__mro__ }}",
        "{{ resource.__globals__ }}",
    ],
)
def test_nothing_else_is(rendered, text):
    try:
        found = rendered(text)
    except (UndefinedError, SecurityError):
        return
    assert found == ""


def test_a_run_without_a_logical_date_has_the_day_on_which_it_was_started():
    with DAG("sea.fish", schedule=None, start_date=datetime(2024, 1, 1, tzinfo=BERLIN)) as dag:
        task = StepOperator(task_id="ingest", python_callable=print, op_args=["{{ run.date }}"])
    task.render_template_fields(context(dag, is_dated=False))
    assert task.op_args == ["2024-05-07"]


def test_a_template_reads_no_file_beside_the_dag_files(rendered):
    with pytest.raises(TypeError, match="no loader"):
        rendered("{% include 'teams.py' %}")
