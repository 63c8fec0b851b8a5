"""What templates of a step's arguments are filled with: see `factory.team.template_rules`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from factory.airflow.tasks.resources import resource_of
from factory.team.template_rules import DATES


@dataclass(frozen=True)
class RunNames:
    """A run, as templates may know it."""

    id: str
    dag_id: str
    task_id: str
    try_number: int
    time: datetime
    """Its logical date; in a run that an event or a person started, when that was. In the DAG's time zone."""

    @property
    def date(self) -> str:
        """Its day, such as `2024-05-06`."""
        return self.time.strftime("%Y-%m-%d")


def template_values(context: Mapping[str, Any]) -> dict[str, Any]:
    """What a template may name, from what Airflow would let it name.

    Args:
        context: Airflow's; that of a failed run's callback knows of no task.
    """
    found = {name: context[name] for name in (*DATES, "run_id") if name in context}
    found["params"] = dict(context.get("params") or {})
    ti = context.get("ti")
    if ti is not None:
        found["run_id"] = ti.run_id
        found["run"] = RunNames(ti.run_id, ti.dag_id, ti.task_id, ti.try_number, _time(context))
        found["resource"] = _resource(ti)
    return found


def _time(context: Mapping[str, Any]) -> datetime:
    run = context["dag_run"]
    found: datetime = run.logical_date or run.run_after
    return found.astimezone(context["dag"].timezone)


def _resource(ti: Any) -> Callable[[str], Any]:
    # A function and no object with the task's instance in it: a template could reach that.
    def resource(name: str) -> Any:
        """What a resource's `create` has returned."""
        return resource_of(ti, name)

    return resource
