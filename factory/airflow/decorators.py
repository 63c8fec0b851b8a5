"""What dag-factory lacks, behind its `decorator:` key: setup, teardown, mapped task groups.

dag-factory calls `decorator(task_id=…, dag=…, python_callable=…, **other keys)` and then the result,
or the result's `.expand(…)`. The DAG is handed on by name everywhere and never entered (`with dag:`):
Airflow counts a DAG that is entered as one of the file that it is parsing, and `config_errors.py`
builds all DAGs to see whether they can be built.
"""

from collections.abc import Callable, Mapping
from typing import Any

from airflow.sdk import DAG, TaskGroup, task_group
from airflow.sdk.bases.operator import BaseOperator
from dagfactory.dagbuilder import DagBuilder

from factory.airflow.operators import StepOperator


def setup(**arguments: Any) -> Callable[[], BaseOperator]:
    """A task that prepares something for the tasks after it."""
    return lambda: StepOperator(**arguments).as_setup()


def teardown(**arguments: Any) -> Callable[[], BaseOperator]:
    """A task that runs once its setups succeeded and the tasks between ended, whatever their state.

    Its `dependencies` name the setups too. Its own failure does not turn a failed run green,
    nor a green one red: Airflow leaves teardowns out of a run's state.
    """
    return lambda: StepOperator(**arguments).as_teardown()


class mapped_task_group:  # noqa: N801 - named as Airflow names its decorators
    """One instance of a group of tasks for every element of an upstream task's result.

    `python_callable` declares the group: its one parameter is what is mapped over and its docstring
    becomes the tooltip. Each of `tasks` gets the element as a keyword argument of that name.

        trial:
          decorator: factory.airflow.decorators.mapped_task_group
          python_callable: factory.airflow.tasks.training.trial
          expand: {trial: +plan_trials}
          dependencies: [plan_trials]
          tasks:
            fit: {operator: …, python_callable: …, op_kwargs: {…}}
            evaluate: {…, dependencies: [fit]}
    """

    def __init__(
        self,
        *,
        task_id: str,
        dag: DAG,
        python_callable: Callable[..., None],
        tasks: Mapping[str, Mapping[str, Any]],
    ) -> None:
        self.group_id = task_id
        self.dag = dag
        self.declaration = python_callable
        self.tasks = tasks

    def expand(self, **mapped: BaseOperator) -> TaskGroup:
        """Build the group over the results of the given upstream tasks."""
        if len(mapped) != 1:
            raise ValueError(f"task group {self.group_id!r}: `expand` takes exactly one argument")
        ((argument, upstream),) = mapped.items()
        group = task_group(
            group_id=self.group_id, dag=self.dag, tooltip=self.declaration.__doc__ or ""
        )
        return group(self._builder(argument)).expand(**{argument: upstream.output})

    def _builder(self, argument: str) -> Callable[..., None]:
        def build(**elements: Any) -> None:
            made: dict[str, BaseOperator] = {}
            for name, entry in self.tasks.items():
                made[name] = self._task(name, entry, elements)
                for upstream in entry.get("dependencies", ()):
                    made[name].set_upstream(made[upstream])

        # Airflow checks the mapped names against the signature of the function it is given.
        build.__signature__ = _signature(argument)  # type: ignore[attr-defined]
        return build

    def _task(self, name: str, entry: Mapping[str, Any], elements: dict[str, Any]) -> BaseOperator:
        arguments = {
            key: value for key, value in entry.items() if key not in ("operator", "dependencies")
        }
        arguments["op_kwargs"] = {**arguments.get("op_kwargs", {}), **elements}
        return DagBuilder.make_task(
            entry["operator"], {"task_id": name, "dag": self.dag, **arguments}
        )


def _signature(argument: str) -> Any:
    from inspect import Parameter, Signature

    return Signature([Parameter(argument, Parameter.KEYWORD_ONLY)])
