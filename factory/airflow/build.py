"""Documents to DAGs: the only place that imports dag-factory."""

import operator
from collections.abc import Mapping
from functools import reduce
from typing import Any

from airflow.sdk import DAG
from airflow.sdk.definitions.param import ParamsDict
from dagfactory.dagbuilder import DagBuilder
from dagfactory.utils import cast_with_type

from factory.documents.dag import SHARED, Document
from factory.team.own_code import check_origins


class _Builder(DagBuilder):  # type: ignore[misc] # dag-factory has no types
    """dag-factory's builder, which also finds tasks of groups whose ids lack the group's name."""

    @staticmethod
    def set_dependencies(
        tasks_config: dict[str, dict[str, Any]],
        operators_dict: dict[str, Any],
        task_groups_config: dict[str, dict[str, Any]],
        task_groups_dict: dict[str, Any],
    ) -> None:
        """See `DagBuilder.set_dependencies`.

        It looks for each task of a group as `group.task`. Decorated tasks, and those of groups with
        `prefix_group_id: false`, are known as `task`.
        """
        for name, task in tasks_config.items():
            group = task.get("task_group")
            if group is not None and name in operators_dict:
                operators_dict.setdefault(f"{group.group_id}.{name}", operators_dict[name])
        DagBuilder.set_dependencies(
            tasks_config, operators_dict, task_groups_config, task_groups_dict
        )


_COMBINATIONS = {"__and__": operator.and_, "__or__": operator.or_}


def _combined(value: Any) -> Any:
    """The value with `__and__`, `__or__` and `__join__` carried out, as dag-factory's file loader does."""
    if isinstance(value, list):
        return [_combined(one) for one in value]
    if not isinstance(value, dict):
        return value
    for key, combine in _COMBINATIONS.items():
        if key in value:
            return reduce(combine, _combined(value[key]))
    if "__join__" in value:
        return "".join(str(part) for part in _combined(value["__join__"]))
    return {key: _combined(one) for key, one in value.items()}


def as_objects(value: Any) -> Any:
    """A value of a document with what `__type__` and its like say made into objects."""
    return _combined(cast_with_type(value))


def build(dag_id: str, document: Document) -> DAG:
    """The DAG of a document.

    dag-factory's builder is used without its file loader, which would dump the whole document into
    the DAG's documentation and reports errors to the log only. The builder tags every DAG
    `dagfactory`; a listener of its package sends telemetry for DAGs with that tag, so it goes.
    """
    builder = _Builder(dag_id, {}, {})
    is_written = SHARED not in document.get("default_args", {})
    check_origins(document, is_written=is_written)
    # Set rather than passed: the builder would copy it deeply, but casting has made new objects of
    # everything already. That copy is 5 % of a full parse.
    config = builder.dag_config = as_objects(document) if is_written else cast_with_type(document)
    # Airflow copies a DAG's params three times for each task, 8 % of a full parse. The operators of steps have
    # none of their own: see `factory.airflow.operators`.
    params = None if is_written else config.pop("params", None)
    dag = builder.build()["dag"]
    if params:
        dag.params = ParamsDict(params)
    dag.tags.discard("dagfactory")
    return dag


def build_all(documents: Mapping[str, Document]) -> dict[str, DAG]:
    """The DAGs of documents, by id."""
    return {dag_id: build(dag_id, document) for dag_id, document in documents.items()}
