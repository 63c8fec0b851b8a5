"""Team files to DAGs, when Airflow parses the DAG files."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, get_parsing_context

from factory.airflow.build import build, build_all
from factory.base.garbage import without_garbage_collection
from factory.catalog import Project, read_all, read_one
from factory.documents.compile import compile_one, compile_platform, document_makers
from factory.documents.dag import Document
from factory.documents.installation import Installation
from factory.documents.maintenance import MAINTENANCE
from factory.team.environment import active_environment, configs_folder
from factory.team.problems import Problem
from factory.team.reader import DEFAULTS_FILE, TeamFile, read_platform

log = logging.getLogger(__name__)


class TeamFilesError(Exception):
    """Everything that is wrong in the team files, in one message for Airflow's import errors."""


def load_dags(namespace: dict[str, Any]) -> None:
    """Put DAGs into the globals of a DAG file: one when a task starts, else every healthy team's."""
    configs = configs_folder(Path(namespace["__file__"]))
    dag_id = get_parsing_context().dag_id
    dags = load_one(configs, dag_id) if dag_id else load_all(configs)
    # Airflow collects DAGs by value; the names only have to differ.
    namespace.update({f"dag:{name}": dag for name, dag in dags.items()})


def load_one(configs: Path, dag_id: str) -> dict[str, DAG]:
    """The one DAG of this id: reads `_defaults.yaml` and one team's file, whatever else is there: see `read_one`."""
    if dag_id == MAINTENANCE:
        platform = read_platform(configs, active_environment()).config
        return build_all(compile_platform(platform, Installation.of(platform, configs.parent)))
    read = read_one(configs, dag_id.partition(".")[0], active_environment())
    if read is None:
        return {}
    platform, file = read
    document = compile_one(file.team, dag_id, Installation.of(platform, configs.parent))
    return {dag_id: build(dag_id, document)} if document is not None else {}


def load_all(configs: Path) -> dict[str, DAG]:
    """Every healthy team's DAGs; a DAG that cannot be built is left out and logged."""
    dags, failures = _build_project(configs, read_all(configs, active_environment()))
    for dag_id, error in failures.items():
        log.error("the DAG %s is left out: %s", dag_id, error, exc_info=error)
    return dags


def raise_problems(dag_file: str) -> None:
    """Raise one error with all problems of all team files, if there are any.

    Called by `dags/config_errors.py`; does nothing while a worker parses the file for a task.

    Raises:
        TeamFilesError: At least one team file has a problem, or one of its DAGs cannot be built.
    """
    if get_parsing_context().dag_id:
        return
    configs = configs_folder(Path(dag_file))
    project = read_all(configs, active_environment())
    messages = [str(problem) for problem in project.problems]
    messages += build_failures(configs, project).values()
    if messages:
        raise TeamFilesError("\n\n".join([_headline(len(messages)), *messages]))


def build_failures(configs: Path, project: Project) -> dict[str, str]:
    """What keeps DAGs of healthy teams from being built, by their ids, with file and line."""
    _, failures = _build_project(configs, project)
    return {dag_id: _told(configs, project, dag_id, error) for dag_id, error in failures.items()}


def _headline(count: int) -> str:
    return f"{count} problem{'s' if count > 1 else ''} in the team files; all other teams keep running."


def _told(configs: Path, project: Project, dag_id: str, error: Exception) -> str:
    """What to say of a DAG that cannot be built."""
    message = f"the DAG {dag_id} cannot be built: {type(error).__name__}: {error}"
    team, _, name = dag_id.partition(".")
    file = project.teams.get(team)
    if file is None:
        return f"{configs.name}/{DEFAULTS_FILE}: {message}"
    return str(_located(file, name.partition(".")[0], message))


def _located(file: TeamFile, name: str, message: str) -> Problem:
    sections = ("dags", "models", "datasets")
    section = next((one for one in sections if name in getattr(file.team, one)), "datasets")
    advice = "only this DAG is left out: `factory validate` may know more"
    return file.problem("refused_dag", (section, name), message, advice, on_key=True)


def _build_project(configs: Path, project: Project) -> tuple[dict[str, DAG], dict[str, Exception]]:
    """The DAGs of all healthy teams, and by id what kept others from being built."""
    installation = Installation.of(project.platform, configs.parent)
    dags: dict[str, DAG] = {}
    failures: dict[str, Exception] = {}

    def attempt(dag_id: str, make: Callable[[], Document]) -> None:
        try:
            dags[dag_id] = build(dag_id, make())
        except Exception as error:  # noqa: BLE001 - whatever one DAG raises, the others load
            failures[dag_id] = error

    # For 1,000 teams collecting takes 9 % of the parse and frees 1 % of the memory.
    with without_garbage_collection():
        if project.platform.maintenance is not None:
            attempt(
                MAINTENANCE, lambda: compile_platform(project.platform, installation)[MAINTENANCE]
            )
        for file in project.teams.values():
            for dag_id, make in document_makers(file.team, installation).items():
                attempt(dag_id, make)
    return dags, failures
