"""What templates of steps are filled with: a run and its dates, and nobody's passwords."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from airflow.sdk import DAG
from jinja2.exceptions import SecurityError, UndefinedError

from factory.airflow.operators import StepOperator

DAY = datetime(2024, 5, 6, tzinfo=UTC)


class Connections:
    """Stands for Airflow's access to connections: asking is the failure."""

    def __getattr__(self, name):
        raise AssertionError(f"the connection {name} was read")


def xcoms(*, task_ids):
    return {"create_box": {"name": "staging"}}.get(task_ids)


def context(dag):
    instance = SimpleNamespace(
        run_id="r1",
        dag_id="sea.fish",
        task_id="ingest",
        try_number=2,
        xcom_pull=xcoms,
    )
    return {
        "dag": dag,
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
