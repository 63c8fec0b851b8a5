"""A model's deployment document: version, build, deploy, smoke test, and the way back."""

from datetime import timedelta

from factory.deploy.targets.target import Target
from factory.documents.dag import Dag, Task, Tasks
from factory.documents.installation import Installation
from factory.documents.schedules import Start, model_asset
from factory.documents.team_dag import dump, team_dag, with_workspace
from factory.team.team import TeamConfig

_SOON = timedelta(seconds=5)
"""Until a smoke test is tried again: a version that fails it is in production meanwhile."""


def deployment_id(team: str, model: str) -> str:
    """The id of the DAG that deploys a model's champion."""
    return f"{team}.{model}.deploy"


def deployment_document(team: TeamConfig, name: str, installation: Installation) -> Dag:
    """The DAG `<team>.<name>.deploy`, which runs when the model's champion has changed.

    Raises:
        ValueError: The model has no section `deploy`.
    """
    model = team.models[name]
    if model.deploy is None:
        raise ValueError(f"model {name} has no section `deploy`")
    full_name = f"{team.team}.{name}"
    tasks = _tasks(full_name, model.deploy)
    return team_dag(
        team,
        model,
        description=f"Deploys the champion of {full_name}.",
        doc=_doc(full_name, model.deploy),
        start=Start((model_asset(full_name),), team.defaults.timezone),
        tags=("model", "deployment"),
        shared=installation.shared(
            model=full_name, deploy=dump(model.deploy.with_lake(installation.storage))
        ),
        tasks=with_workspace(tasks, installation) if model.deploy.needs_making else tasks,
    )


def _tasks(full_name: str, section: Target) -> Tasks:
    champion = (model_asset(full_name),)
    build: Tasks = (
        (Task("build", "deployment.build", ("version",)),) if section.needs_making else ()
    )
    return (
        Task("version", "deployment.version", inlets=champion),
        *build,
        Task("deploy", "deployment.deploy", ("build" if section.needs_making else "version",)),
        Task("smoke_test", "deployment.smoke_test", ("deploy",), options={"retry_delay": _SOON}),
        # A task that fails makes all that follow it fail too: this one need only look at the last.
        Task(
            "restore",
            "deployment.restore",
            ("smoke_test",),
            options={"trigger_rule": "one_failed"},
        ),
        # A task that fails emits no event, and one that succeeds hides the failure before it: hence
        # three.
        Task("announce", "deployment.announce", ("restore",), outlets=champion),
        Task("fail", "deployment.fail", ("restore",), options={"retries": 0}),
    )


def _doc(full_name: str, section: Target) -> list[str]:
    test = section.smoke_test
    asked = test.file or (f"{len(test.rows)} rows" if test.rows else "its own input example")
    expected = "" if test.expect is None else f", which must give `{test.expect}`"
    return [
        f"### Deployment of `{full_name}`",
        "",
        f"* target: `{section.type}`",
        f"* smoke test: {asked}{expected}",
        "* when it fails: the version before goes back into production",
    ]
