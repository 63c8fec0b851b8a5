"""What Airflow is asked about `dags`, and about the tasks of `after`: whether each DAG can be built and stored, and if not, why.

A DAG that names anything that the platform does not allow is not asked about: what it names would be imported.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime
from functools import partial
from typing import Any

from factory.base.findings import Finding, KeyPath, Question
from factory.team.after_tasks import as_dag, in_section
from factory.team.reader import TeamFile, dag_rules
from factory.team.references import own_tasks

DATE = "__date__"
"""The key of a mapping that stands for a date, which JSON has not."""
_ASKED = "factory.airflow.dag_checks:check_dag"


def dag_questions(file: TeamFile) -> Iterator[Question]:
    """The questions about the DAGs that a team has written itself; findings start at the file's top."""
    for name, dag in file.team.dags.items():
        yield from _about(file, name, dag, partial(_below, ("dags", name)))
    for section, tasks in own_tasks(file.team):
        yield from _about(file, str(section[-1]), as_dag(tasks), partial(in_section, section))


def _about(
    file: TeamFile, name: str, dag: dict[str, Any], where: Callable[[KeyPath], KeyPath]
) -> Iterator[Question]:
    """The question about one DAG.

    Args:
        file: The team's file.
        name: The DAG's name.
        dag: As it is written.
        where: Where in the file something stands, by its path in the DAG.
    """
    # Late: few teams write DAGs.
    from factory.team.own_assets import dags_with_stand_ins
    from factory.team.own_dags import check_own_dags

    alone: Any = dags_with_stand_ins({name: dag}, file.name, file.team.own_names)
    if any(dag_rules(file).check(alone)):
        return
    broken = [list(finding.path[2:]) for finding in check_own_dags(alone)]
    argument = {
        "dag_id": f"{file.name}.{name}",
        "owner": file.team.owner,
        "written": as_json(alone[name]),
        "broken": broken,
    }
    yield Question(_ASKED, argument, partial(_tell, where))


def _below(dag: KeyPath, path: KeyPath) -> KeyPath:
    return (*dag, *path)


def _tell(where: Callable[[KeyPath], KeyPath], answer: Any) -> Iterable[Finding]:
    """The findings of an answer about one DAG."""
    for one in answer:
        yield Finding(**{**one, "path": where(tuple(one["path"]))})


def as_json(value: Any) -> Any:
    """A value of a team file as JSON."""
    if isinstance(value, dict):
        return {key: as_json(one) for key, one in value.items()}
    if isinstance(value, list):
        return [as_json(one) for one in value]
    if isinstance(value, date):
        return {DATE: value.isoformat()}
    return value


def from_json(value: Any) -> Any:
    """The value that `as_json` wrote."""
    if isinstance(value, list):
        return [from_json(one) for one in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {DATE}:
        text = value[DATE]
        is_date = len(text) == len("2024-01-01")
        return date.fromisoformat(text) if is_date else datetime.fromisoformat(text)
    return {key: from_json(one) for key, one in value.items()}
