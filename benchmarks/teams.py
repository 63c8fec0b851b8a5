"""A project of many teams, in three forms: our team files, dag-factory's YAML, hand-written Python."""

from pathlib import Path
from pprint import pformat

import yaml

TEAM = """\
version: 1
team: {team}
owner: {team}@example.org
description: Team {team} of a generated project.

datasets:
  rows:
    schedule: "@daily"
    source: {{type: python, call: sklearn.datasets.load_diabetes, arguments: {{as_frame: true}}, attribute: frame}}
    transforms:
      - {{type: sql, query: "select *, {number} as team_number from source where bmi is not null"}}
    checks:
      - {{check: not_null, columns: [target, bmi]}}
      - {{check: between, column: bmi, min: -1, max: 1}}
      - {{check: row_count, min: 400}}

models:
  progression:
    task: regression
    train_on: rows
    target: target
    search:
      strategy: grid
      candidates:
        - estimator: sklearn.linear_model.Ridge
          params: {{alpha: [0.1, 1.0, 10.0]}}
        - estimator: sklearn.ensemble.RandomForestRegressor
          params: {{n_estimators: [50, 100], max_depth: [4, 8]}}
    objective: {{metric: r2}}
"""


def write_configs(folder: Path, teams: int) -> None:
    """Write `teams` team files, each with one dataset and one model."""
    folder.mkdir(parents=True)
    (folder / "_defaults.yaml").write_text("version: 1\npython_packages: [sklearn]\n")
    for number in range(teams):
        team = f"team_{number:04}"
        (folder / f"{team}.yaml").write_text(TEAM.format(team=team, number=number))


def write_dagfactory(folder: Path, documents: dict[str, dict[str, dict]]) -> None:
    """Write each team's documents as the file that `factory render` prints."""
    folder.mkdir(parents=True)
    for team, dags in documents.items():
        (folder / f"{team}.yaml").write_text(yaml.safe_dump(dags, sort_keys=False))


def write_handwritten(folder: Path, documents: dict[str, dict[str, dict]]) -> None:
    """Write each team's DAGs as a person would in Python: the same tasks, arguments and links."""
    folder.mkdir(parents=True)
    for team, dags in documents.items():
        blocks = [_HEADER, *(_dag(dag_id, document) for dag_id, document in dags.items())]
        (folder / f"{team}.py").write_text("\n".join(blocks))


_HEADER = """\
from datetime import datetime, timedelta, timezone

from airflow.sdk import DAG, Asset, Param, task_group

from factory.airflow.operators import StepOperator
from factory.airflow.tasks import dataset, training, workspace
"""


def _value(data: object) -> str:
    """Python source of a value of a document."""
    if isinstance(data, list):
        return "[" + ", ".join(_value(item) for item in data) + "]"
    if isinstance(data, dict) and "__type__" in data:
        name = data["__type__"].rsplit(".", 1)[1]
        arguments = [f"{key}={_value(item)}" for key, item in data.items() if key != "__type__"]
        return f"{name}({', '.join(arguments)})"
    if isinstance(data, dict):
        return "{" + ", ".join(f"{key!r}: {_value(item)}" for key, item in data.items()) + "}"
    return pformat(data)


def _operator(task_id: str, entry: dict, extra: str = "") -> str:
    call = entry["python_callable"].removeprefix("factory.airflow.tasks.")
    skipped = ("operator", "decorator", "python_callable", "dependencies", "op_kwargs")
    rest = "".join(f", {key}={_value(value)}" for key, value in entry.items() if key not in skipped)
    kwargs = _value(entry["op_kwargs"])
    if extra:
        kwargs = "{" + f"**{kwargs}, {extra}" + "}"
    return f"StepOperator(task_id={task_id!r}, python_callable={call}, op_kwargs={kwargs}{rest})"


def _dag(dag_id: str, document: dict) -> str:
    year, month, day = document["start_date"].split("-")
    lines = [
        "",
        "with DAG(",
        f"    {dag_id!r},",
        f"    description={document['description']!r},",
        f"    doc_md={document['doc_md']!r},",
        f"    schedule={_value(document['schedule'])},",
        f"    start_date=datetime({year}, {int(month)}, {int(day)}, tzinfo=timezone.utc),",
        "    catchup=False,",
        f"    max_active_runs={document['max_active_runs']},",
        f"    tags={document['tags']!r},",
        f"    default_args={_value(document['default_args'])},",
        f"    params={_value(document['params'])},",
        f") as {dag_id.replace('.', '_')}:",
    ]
    for task_id, entry in document["tasks"].items():
        if "expand" in entry:
            lines += _group(task_id, entry)
        else:
            kind = entry.get("decorator", "").rsplit(".", 1)[-1]
            call = {"setup": ".as_setup()", "teardown": ".as_teardown()"}.get(kind, "")
            lines.append(f"    {task_id} = {_operator(task_id, entry)}{call}")
        lines += [f"    {upstream} >> {task_id}" for upstream in entry["dependencies"]]
    return "\n".join(lines) + "\n"


def _group(group_id: str, entry: dict) -> list[str]:
    ((argument, upstream),) = entry["expand"].items()
    lines = [f"    @task_group({group_id!r})", f"    def make_{group_id}({argument}):"]
    for task_id, inner in entry["tasks"].items():
        extra = f"{argument!r}: {argument}"
        lines.append(f"        {task_id} = {_operator(task_id, inner, extra)}")
        lines += [f"        {upstream_id} >> {task_id}" for upstream_id in inner["dependencies"]]
    return [
        *lines,
        f"    {group_id} = make_{group_id}.expand({argument}={upstream.removeprefix('+')}.output)",
    ]
