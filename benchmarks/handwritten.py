"""A team's DAGs as a person would write them in Python: the same tasks, arguments and links."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from factory.documents.dag import Document

_IMPORTS = """\
from datetime import datetime, timedelta, timezone

from airflow.sdk import DAG, Asset

from factory.airflow import params
from factory.airflow.operators import (
    BranchStepOperator,
    PublishStepOperator,
    StepOperator,
    TrackedStepOperator,
)
from factory.airflow.tasks import dataset, promotion, training, workspace
"""

_CALLS = {"setup": ".as_setup()", "teardown": ".as_teardown()"}
_HANDLED = {"operator", "decorator", "python_callable", "dependencies", "op_kwargs", "expand"}


def source(documents: Mapping[str, Document]) -> str:
    """One Python file with the DAGs of a team."""
    constants = _constants(documents)
    definitions = [f"{name} = {literal}" for literal, name in constants.items()]
    dags = [_dag(dag_id, document, constants) for dag_id, document in documents.items()]
    return "\n".join([_IMPORTS, *definitions, *dags])


def _constants(documents: Mapping[str, Document]) -> dict[str, str]:
    """What stands in the file more than once gets a name, as a person would do: literal -> name."""
    found = [
        (key.upper(), _literal(value))
        for document in documents.values()
        for key, value in _named_values(document)
        if isinstance(value, str | list | dict)
    ]
    constants: dict[str, str] = {}
    for (key, literal), count in Counter(found).items():
        if count > 1:
            taken = key in constants.values()
            constants[literal] = f"{key}_{len(constants)}" if taken else key
    return constants


def _named_values(document: Document) -> Iterator[tuple[str, Any]]:
    yield "default_args", document["default_args"]
    if isinstance(document["schedule"], list):
        yield from (("asset", asset) for asset in document["schedule"])
    for entry in _entries(document["tasks"]):
        yield from entry.get("op_kwargs", {}).items()
        yield from (("asset", asset) for asset in entry.get("inlets", []))
        yield from (("asset", asset) for asset in entry.get("outlets", []))


def _entries(tasks: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for entry in tasks.values():
        yield entry
        yield from _entries(entry.get("tasks", {}))


def _literal(data: object) -> str:
    """Python source of a value of a document."""
    return _value(data, {})


def _value(data: object, constants: Mapping[str, str]) -> str:
    if isinstance(data, list):
        text = "[" + ", ".join(_value(item, constants) for item in data) + "]"
    elif isinstance(data, dict) and "__type__" in data:
        # Ours are imported by their module, Airflow's by their name.
        parts = data["__type__"].split(".")
        name = ".".join(parts[-2:] if parts[0] == "factory" else parts[-1:])
        rest = [
            f"{key}={_value(item, constants)}" for key, item in data.items() if key != "__type__"
        ]
        text = f"{name}({', '.join(rest)})"
    elif isinstance(data, dict):
        pairs = [f"{key!r}: {_value(item, constants)}" for key, item in data.items()]
        text = "{" + ", ".join(pairs) + "}"
    else:
        text = repr(data)
    return constants.get(_literal(data), text) if constants else text


def _dag(dag_id: str, document: Document, constants: Mapping[str, str]) -> str:
    year, month, day = document["start_date"].split("-")
    lines = [
        "",
        "with DAG(",
        f"    {dag_id!r},",
        f"    description={document['description']!r},",
        f"    doc_md={document['doc_md']!r},",
        f"    schedule={_value(document['schedule'], constants)},",
        f"    start_date=datetime({year}, {int(month)}, {int(day)}, tzinfo=timezone.utc),",
        "    catchup=False,",
        f"    max_active_runs={document['max_active_runs']},",
        f"    tags={document['tags']!r},",
        f"    default_args={_value(document['default_args'], constants)},",
        f"    params={_value(document['params'], {})},",
        f") as {dag_id.replace('.', '_')}:",
    ]
    for task_id, entry in document["tasks"].items():
        call = _CALLS.get(_decorator(entry), "")
        lines.append(f"    {task_id} = {_operator(task_id, entry, constants)}{call}")
        lines += _link(task_id, entry.get("dependencies", []), "    ")
    return "\n".join(lines) + "\n"


def _link(task_id: str, upstream: list[str], indent: str) -> list[str]:
    if not upstream:
        return []
    before = upstream[0] if len(upstream) == 1 else f"[{', '.join(upstream)}]"
    return [f"{indent}{before} >> {task_id}"]


def _operator(task_id: str, entry: Mapping[str, Any], constants: Mapping[str, str]) -> str:
    call = entry["python_callable"].removeprefix("factory.airflow.tasks.")
    given = entry.get("op_kwargs", {})
    pairs = [f"{key!r}: {_value(value, constants)}" for key, value in given.items()]
    arguments = [
        f"task_id={task_id!r}",
        f"python_callable={call}",
        *([f"op_kwargs={{{', '.join(pairs)}}}"] if pairs else []),
        *(
            f"{key}={_value(value, constants)}"
            for key, value in entry.items()
            if key not in _HANDLED
        ),
    ]
    operator = entry.get("operator", "StepOperator").rpartition(".")[2]
    if "expand" not in entry:
        return f"{operator}({', '.join(arguments)})"
    over = ", ".join(f"{key}={value}" for key, value in entry["expand"].items())
    return f"{operator}.partial({', '.join(arguments)}).expand({over})"


def _decorator(entry: Mapping[str, Any]) -> str:
    return str(entry.get("decorator", "")).rsplit(".", 1)[-1]
