"""A model's deployment document: version, build, deploy, smoke test, and the way back."""

from typing import Any

from factory.deploy.sections import Deploy
from factory.deploy.targets.sagemaker_section import SageMakerDeploy
from factory.documents import document as parts
from factory.documents.document import Document
from factory.documents.installation import Places
from factory.documents.shared import Shared
from factory.team.team import TeamConfig

_SOON = 5
"""Seconds until a smoke test is tried again: a version that fails it is in production meanwhile."""


def deployment_id(team: str, model: str) -> str:
    """The id of the DAG that deploys a model's champion."""
    return f"{team}.{model}.deploy"


def deployment_document(team: TeamConfig, name: str, places: Places) -> Document:
    """The DAG `<team>.<name>.deploy`, which runs when the model's champion has changed.

    Raises:
        ValueError: The model has no section `deploy`.
    """
    model = team.models[name]
    if model.deploy is None:
        raise ValueError(f"model {name} has no section `deploy`")
    full_name = f"{team.team}.{name}"
    tasks = _tasks(full_name, model.deploy, places)
    if model.deploy.builds:
        tasks = parts.with_workspace(tasks)
    return parts.dag(
        team,
        description=f"Deploys the champion of {full_name}.",
        doc=_doc(full_name, model.deploy),
        when=[parts.model_asset(full_name)],
        tags=("model", "deployment", team.team),
        params={},
        tasks=tasks,
        shared=Shared(
            places.storage,
            places.workspace,
            places.storage_connection,
            model=full_name,
            deploy=parts.dump(_with_storage(model.deploy, places)),
        ),
        about=model,
    )


def _tasks(full_name: str, section: Deploy, places: Places) -> dict[str, Any]:
    asset = parts.model_asset(full_name)
    tasks = {
        "version": {
            **parts.task("deployment.version", places=places),
            "inlets": [asset],
        }
    }
    before = "version"
    if section.builds:
        tasks["build"] = parts.task("deployment.build", None, before, places=places)
        before = "build"
    tasks["deploy"] = parts.task("deployment.deploy", None, before, places=places)
    tasks["smoke_test"] = parts.task(
        "deployment.smoke_test",
        None,
        "deploy",
        retry_delay=parts.timedelta(_SOON),
        places=places,
    )
    # A task that fails makes all that follow it fail too: this one need only look at the last.
    tasks["restore"] = parts.task(
        "deployment.restore", None, "smoke_test", trigger_rule="one_failed", places=places
    )
    # A task that fails emits no event, and one that succeeds hides the failure before it: hence three.
    tasks["announce"] = {
        **parts.task("deployment.announce", None, "restore", places=places),
        "outlets": [asset],
    }
    tasks["fail"] = parts.task("deployment.fail", None, "restore", retries=0, places=places)
    return tasks


def _with_storage(section: Deploy, places: Places) -> Deploy:
    """The section with the lake's storage, where archives need one and it names none."""
    in_lake = isinstance(section, SageMakerDeploy) and section.storage is None
    if in_lake and places.storage.startswith("s3://"):
        return section.model_copy(update={"storage": places.storage})
    return section


def _doc(full_name: str, section: Deploy) -> str:
    test = section.smoke_test
    asked = test.file or (f"{len(test.rows)} rows" if test.rows else "its own input example")
    expected = "" if test.expect is None else f", which must give `{test.expect}`"
    lines = [
        f"### Deployment of `{full_name}`",
        "",
        f"* target: `{section.type}`",
        f"* smoke test: {asked}{expected}",
        "* when it fails: the version before goes back into production",
    ]
    return "\n".join(lines) + "\n"
