"""The target `sagemaker`: a real-time endpoint of Amazon SageMaker."""

import logging
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

from factory.base.aws import AwsError, calling, client_of, code_of, described, message_of
from factory.base.errors import FactoryError, TerminalError
from factory.deploy.access import Places
from factory.deploy.archive import pack
from factory.deploy.container_image import make_image
from factory.deploy.endpoint_requests import (
    MODEL,
    VERSION,
    config_request,
    create_request,
    endpoint_name,
    model_request,
    prefix_of,
    update_request,
)
from factory.deploy.http import read_answer
from factory.deploy.invocations import answer_of
from factory.deploy.model_folder import fill_model_folder
from factory.deploy.protocol import Answer, Built, Deployed, Question, Release
from factory.deploy.targets.sagemaker_section import SageMakerDeploy
from factory.lake.storage.address import is_s3
from factory.lake.storage.files import Files
from factory.models.tracking import Tracking

log = logging.getLogger(__name__)

FOLDER = "_deployments"
"""The folder of the storage that archives of models lie in."""

_MOVING = ("Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting")
_HINTS = {
    "ResourceLimitExceeded": "raise the account's quota for endpoints, or take a smaller "
    "`instance_type` or fewer `instances`",
}


class EndpointError(TerminalError):
    """An endpoint did not come to the version that it should."""


class SageMakerTarget:
    """The endpoint `<team>-<model>`.

    Args:
        section: The model's `deploy`.
        tracking: The MLflow server.
        places: How connections are reached.
        poll: Seconds between two questions how an endpoint is getting on.
    """

    def __init__(
        self, section: SageMakerDeploy, tracking: Tracking, places: Places, *, poll: float = 20.0
    ) -> None:
        self._section = section
        self._tracking = tracking
        self._places = places
        self._poll = poll

    def running(self, model: str) -> Deployed | None:
        """The version that the endpoint's configuration is of.

        Raises:
            TerminalError: The endpoint is not the factory's.
            AwsError: SageMaker cannot be asked.
        """
        found = self._endpoint(model)
        if found is None or found["EndpointStatus"] == "Failed":
            return None
        return self._deployed(model, found["EndpointConfigName"])

    def build(self, release: Release, folder: Path) -> Built | None:
        """Pack the version's files and bring them to S3; build the serving image where that is wanted.

        Raises:
            TerminalError: Something is missing, or may not be used.
            FactoryError: The model, S3 or the registry of images cannot be had.
        """
        model_folder = folder / "model"
        fill_model_folder(release, model_folder, self._tracking)
        archive = folder / "model.tar.gz"
        sha256 = pack(model_folder, archive)
        name = f"{FOLDER}/{release.model}/{release.version}-{sha256[:12]}/model.tar.gz"
        # The name follows from the content: what is there is what would be put there.
        if not self._files.exists(name):
            self._files.upload(archive, name)
        image = self._image(release, folder)
        # Nothing is created yet: what SageMaker would refuse is found before anything is changed.
        model = model_request(self._section, release, image=image, archive=self._files.uri(name))
        config_request(self._section, release, model["ModelName"])
        return Built(reference=self._files.uri(name), facts={"sha256": sha256, "image": image})

    def deploy(self, release: Release, built: Built | None) -> Deployed:
        """Bring the endpoint to the version, blue/green, and wait until it is in service.

        Raises:
            EndpointError: SageMaker went back, or the endpoint could not be made: says why.
            AwsError: SageMaker cannot be asked; an AwsRefusedError if it will not do it.
        """
        if built is None:
            raise TerminalError(f"there is no archive of {release.model}: its build left none")
        model = model_request(
            self._section, release, image=built.facts["image"], archive=built.reference
        )
        config = config_request(self._section, release, model["ModelName"])
        self._create("model", model["ModelName"], model)
        self._create("endpoint_config", config["EndpointConfigName"], config)
        self._clean_up(release.model, config["EndpointConfigName"])
        self._come_to(release, config["EndpointConfigName"])
        return self._deployed(release.model, config["EndpointConfigName"])

    def predict(self, deployed: Deployed, question: Question) -> Answer:
        """Ask the endpoint as its callers do: `InvokeEndpoint`.

        Raises:
            NoAnswerError: The model's container is in trouble.
            TerminalError: It refuses the question.
            AwsError: The endpoint does not answer.
        """
        from botocore.exceptions import ClientError

        endpoint = deployed.details["endpoint"]
        with calling(f"ask the endpoint {endpoint}"):
            try:
                found = self._runtime.invoke_endpoint(
                    EndpointName=endpoint,
                    ContentType=question.content_type,
                    Accept="application/json",
                    Body=question.body,
                )
            except ClientError as error:
                if code_of(error) != "ModelError":
                    raise
                status = int(error.response.get("OriginalStatusCode", 500))
                said = str(error.response.get("OriginalMessage", message_of(error)))
                return answer_of(status, said.encode(), f"the endpoint {endpoint}")
            content = found["Body"].read()
        return read_answer(content, f"the endpoint {endpoint}")

    def restore(self, release: Release, before: Deployed | None) -> None:
        """Bring the endpoint back to the configuration before, or delete what was begun.

        Raises:
            FactoryError: It did not come back: says what a person must do.
        """
        if before is None:
            if self.running(release.model) is not None or self._endpoint(release.model):
                self._delete_endpoint(release.model)
            return
        try:
            self._come_to(release, str(before.details["config"]))
        except FactoryError as error:
            raise type(error)(
                f"version {before.version} of {before.model} was at the endpoint until now and did not "
                f"come back: {error} Look at the endpoint {before.details['endpoint']} in SageMaker's "
                f"console, and update it to the configuration {before.details['config']}"
            ) from error

    def _come_to(self, release: Release, config: str) -> None:
        """Create or update the endpoint, whatever it is at, and wait."""
        name = endpoint_name(release.model)
        found = self._settled(release.model)
        if found is not None and found["EndpointStatus"] != "InService":
            log.info("endpoint %s is %s: it is made anew", name, found["EndpointStatus"])
            self._delete_endpoint(release.model)
            found = None
        if found is None:
            with calling(f"create the endpoint {name}", hints=_HINTS, final=_HINTS):
                self._client.create_endpoint(**create_request(self._section, release, config))
        elif found["EndpointConfigName"] != config:
            self._deployed(release.model, found["EndpointConfigName"])  # whose it is
            with calling(f"update the endpoint {name}", hints=_HINTS, final=_HINTS):
                self._client.update_endpoint(**update_request(self._section, release.model, config))
        found = self._settled(release.model) or {}
        status, now = found.get("EndpointStatus"), found.get("EndpointConfigName")
        reason = str(found.get("FailureReason") or "SageMaker names no reason").rstrip(".")
        if status != "InService":
            raise EndpointError(f"the endpoint {name} is {status}: {reason}. Its log: {_log(name)}")
        if now != config:
            raise EndpointError(
                f"SageMaker has taken the endpoint {name} back to {now}: {reason}. Its log: {_log(name)}"
            )

    def _settled(self, model: str) -> dict[str, Any] | None:
        """The endpoint once it is no longer on its way; None if there is none."""
        from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

        def moves(found: dict[str, Any] | None) -> bool:
            return found is not None and found["EndpointStatus"] in _MOVING

        # SageMaker tells nobody: its own waiter asks again and again too, but would take a
        # deployment that was rolled back for a success, and gives up after an hour.
        found: dict[str, Any] | None = Retrying(
            retry=retry_if_result(moves),
            wait=wait_fixed(self._poll),
            stop=stop_after_delay(self._patience),
            retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
        )(self._endpoint, model)
        if found is not None and moves(found):
            raise AwsError(
                f"the endpoint {endpoint_name(model)} is still {found['EndpointStatus']} after "
                f"{self._patience:g} seconds: raise `timeout`"
            )
        return found

    @property
    def _patience(self) -> float:
        rollout = self._section.rollout
        steps = -(-100 // rollout.percent) if rollout.percent else 1
        steps = min(steps, 2) if rollout.strategy == "canary" else steps
        return float(self._section.timeout + rollout.wait * (steps + 1))

    def _delete_endpoint(self, model: str) -> None:
        name = endpoint_name(model)
        with calling(f"delete the endpoint {name}"):
            self._client.delete_endpoint(EndpointName=name)
        self._settled(model)

    def _create(self, kind: str, name: str, request: dict[str, Any]) -> None:
        """Create what is not there; what is there by this name is the same."""
        if self._described(kind, name) is not None:
            log.info("%s %s is there already", kind, name)
            return
        with calling(f"create the {kind} {name}", hints=_HINTS, final=_HINTS):
            getattr(self._client, f"create_{kind}")(**request)

    def _endpoint(self, model: str) -> dict[str, Any] | None:
        return self._described("endpoint", endpoint_name(model))

    def _described(self, kind: str, name: str) -> dict[str, Any] | None:
        parameter = "".join(part.capitalize() for part in kind.split("_")) + "Name"
        call = getattr(self._client, f"describe_{kind}")
        return described(f"describe the {kind} {name}", call, {parameter: name})

    def _deployed(self, model: str, config: str) -> Deployed:
        """What a configuration stands for.

        Raises:
            TerminalError: It is not of this model, as far as the factory knows.
        """
        endpoint = endpoint_name(model)
        names = self._models_of(config)
        described = self._described("model", names[0]) if names else None
        container = (described or {}).get("PrimaryContainer") or {}
        variables = container.get("Environment") or {}
        if variables.get(MODEL) != model:
            raise TerminalError(
                f"there is an endpoint {endpoint} whose configuration {config} is not the factory's for "
                f"{model}: delete it, or rename the model"
            )
        return Deployed(
            model=model,
            version=int(variables[VERSION]),
            address=f"sagemaker:{self._client.meta.region_name}/{endpoint}",
            details={"endpoint": endpoint, "config": config},
        )

    def _image(self, release: Release, folder: Path) -> str:
        if self._section.image is not None:
            return self._section.image
        assert self._section.build is not None  # noqa: S101 - the section has either
        made = make_image(
            self._section.build, release, folder / "image", self._places, model_folder=None
        )
        return made.reference

    def _clean_up(self, model: str, wanted: str) -> None:
        """Delete configurations beyond those to keep, with the models and archives that only they use.

        Before the endpoint is changed, so that what it is at now stays for `restore`. What cannot be
        deleted is no reason to fail.
        """
        used = (self._endpoint(model) or {}).get("EndpointConfigName")
        if used in (None, wanted):
            return
        earlier = [name for name in self._configs(model) if name not in (used, wanted)]
        kept = {used, wanted, *earlier[: self._section.keep]}
        needed = {one for name in kept for one in self._models_of(name)}
        for name in earlier[self._section.keep :]:
            try:
                self._delete_config(name, needed)
            except FactoryError as error:
                log.warning("an earlier configuration stays: %s", error)

    def _configs(self, model: str) -> Iterator[str]:
        """Names of the model's configurations, the newest first."""
        prefix = prefix_of(model)
        found: list[dict[str, Any]] = []
        with calling(f"list the endpoint configurations of {model}"):
            pages = self._client.get_paginator("list_endpoint_configs")
            for page in pages.paginate(NameContains=prefix):
                found += page["EndpointConfigs"]
        found.sort(key=lambda config: config["CreationTime"], reverse=True)
        for config in found:
            if config["EndpointConfigName"].startswith(prefix):
                yield config["EndpointConfigName"]

    def _models_of(self, config: str) -> list[str]:
        """The names of the models of a configuration."""
        found = self._described("endpoint_config", config) or {}
        return [variant["ModelName"] for variant in found.get("ProductionVariants", ())]

    def _delete_config(self, name: str, needed: set[str]) -> None:
        models = self._models_of(name)
        with calling(f"delete the endpoint configuration {name}"):
            self._client.delete_endpoint_config(EndpointConfigName=name)
        log.info("deleted the endpoint configuration %s", name)
        for unused in models:
            model = self._described("model", unused)
            if unused in needed or model is None:
                continue
            with calling(f"delete the model {unused}"):
                self._client.delete_model(ModelName=unused)
            archive = str(model["PrimaryContainer"].get("ModelDataUrl", ""))
            if archive.startswith(self._files.uri(FOLDER) + "/"):
                self._files.delete(archive.removeprefix(f"{self._files.address}/"))

    @cached_property
    def _files(self) -> Files:
        storage = self._section.storage
        if storage is None or not is_s3(storage):
            raise TerminalError(
                "SageMaker reads models from S3: write `storage: s3://bucket/prefix` under `deploy`, or "
                "set that of configs/_defaults.yaml to one"
            )
        return Files.at(storage)

    @cached_property
    def _client(self) -> Any:
        session = self._places.session(self._section.connection)
        return client_of(session, "sagemaker", self._section.region)

    @cached_property
    def _runtime(self) -> Any:
        session = self._places.session(self._section.connection)
        return client_of(session, "sagemaker-runtime", self._section.region)


def _log(endpoint: str) -> str:
    return f"CloudWatch, group /aws/sagemaker/Endpoints/{endpoint}"
