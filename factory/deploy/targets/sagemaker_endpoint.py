"""A SageMaker endpoint through boto3: what it is at, how it comes to a configuration, what is cleaned up.

Names end with a digest of what they name, so that what is there already is known by its name, and
nothing is made twice.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from factory.base.aws import AwsError, calling, described
from factory.base.digests import sha256, sha256_of_json
from factory.base.errors import FactoryError, TerminalError
from factory.deploy.targets.target import Deployed, plain_name

if TYPE_CHECKING:
    from factory.lake.storage.files import Files

log = logging.getLogger(__name__)

Request = dict[str, Any]

MODEL = "FACTORY_MODEL"
VERSION = "FACTORY_VERSION"
"""Variables of the container by which a model tells what it is."""
POLL = 20.0
"""Seconds between two questions how an endpoint is getting on."""

_MOVING = ("Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting")
_HINTS = {
    "ResourceLimitExceeded": "raise the account's quota for endpoints, or take a smaller "
    "`instance_type` or fewer `instances`",
}


class EndpointError(TerminalError):
    """An endpoint did not come to the version that it should."""


def prefix_of(model: str) -> str:
    """What the names of all that belongs to a model's versions begin with, and those of no other."""
    return f"{plain_name(model)[:34].strip('-')}-{sha256(model)[:6]}-v"


def name_of(model: str, version: int, request: Request) -> str:
    """The name of what a request makes for a version of a model."""
    return f"{prefix_of(model)}{version}-{sha256_of_json(request)[:10]}"


@dataclass(frozen=True)
class Endpoint:
    """The endpoint of one model."""

    model: str
    """The full name, `team.model`."""
    client: Any
    """A client of `sagemaker`."""
    patience: float
    """Seconds that it may take to come to a configuration."""

    @property
    def name(self) -> str:
        """The model's name, with dashes."""
        return plain_name(self.model)

    def find(self) -> dict[str, Any] | None:
        """The endpoint as SageMaker describes it; None if there is none."""
        return self._described("endpoint", self.name)

    def version_of(self, config: str) -> Deployed:
        """The version that a configuration stands for.

        Raises:
            TerminalError: It is not of this model, as far as the factory knows.
        """
        names = self._models_of(config)
        described = self._described("model", names[0]) if names else None
        container = (described or {}).get("PrimaryContainer") or {}
        variables = container.get("Environment") or {}
        if variables.get(MODEL) != self.model:
            raise TerminalError(
                f"there is an endpoint {self.name} whose configuration {config} is not the factory's for "
                f"{self.model}: delete it, or rename the model"
            )
        return Deployed(
            model=self.model,
            version=int(variables[VERSION]),
            address=f"sagemaker:{self.client.meta.region_name}/{self.name}",
            details={"endpoint": self.name, "config": config},
        )

    def create(self, kind: str, name: str, request: dict[str, Any]) -> None:
        """Create what is not there; what is there by this name is the same."""
        if self._described(kind, name) is not None:
            log.info("%s %s is there already", kind, name)
            return
        with calling(f"create the {kind} {name}", hints=_HINTS, final=_HINTS):
            getattr(self.client, f"create_{kind}")(**request)

    def come_to(self, config: str, *, create: Request, update: Request) -> None:
        """Create or update the endpoint, whatever it is at, and wait until it is in service.

        Args:
            config: The configuration to come to.
            create: The parameters of `CreateEndpoint`.
            update: The parameters of `UpdateEndpoint`.

        Raises:
            EndpointError: It did not come there: says why.
            AwsError: SageMaker cannot be asked; an AwsRefusedError if it will not do it.
        """
        name = self.name
        found = self._settled()
        if found is not None and found["EndpointStatus"] != "InService":
            log.info("endpoint %s is %s: it is made anew", name, found["EndpointStatus"])
            self.delete()
            found = None
        if found is None:
            with calling(f"create the endpoint {name}", hints=_HINTS, final=_HINTS):
                self.client.create_endpoint(**create)
        elif found["EndpointConfigName"] != config:
            self.version_of(found["EndpointConfigName"])  # whose it is
            with calling(f"update the endpoint {name}", hints=_HINTS, final=_HINTS):
                self.client.update_endpoint(**update)
        found = self._settled() or {}
        status, now = found.get("EndpointStatus"), found.get("EndpointConfigName")
        reason = str(found.get("FailureReason") or "SageMaker names no reason").rstrip(".")
        if status != "InService":
            raise EndpointError(f"the endpoint {name} is {status}: {reason}. Its log: {self._log}")
        if now != config:
            raise EndpointError(
                f"SageMaker has taken the endpoint {name} back to {now}: {reason}. Its log: {self._log}"
            )

    def delete(self) -> None:
        """Delete the endpoint, and wait until it is gone."""
        with calling(f"delete the endpoint {self.name}"):
            self.client.delete_endpoint(EndpointName=self.name)
        self._settled()

    def clean_up(self, wanted: str, *, keep: int, archives: "Files", folder: str) -> None:
        """Delete configurations beyond those to keep, with the models and archives that only they use.

        Before the endpoint is changed, so that what it is at now stays for `restore`. What cannot be
        deleted is no reason to fail.

        Args:
            wanted: The configuration that the endpoint is to come to.
            keep: How many earlier ones stay.
            archives: The storage with the archives.
            folder: The folder of it whose archives are deleted.
        """
        used = (self.find() or {}).get("EndpointConfigName")
        if used in (None, wanted):
            return
        earlier = [name for name in self._configs() if name not in (used, wanted)]
        kept = {used, wanted, *earlier[:keep]}
        needed = {one for name in kept for one in self._models_of(name)}
        for name in earlier[keep:]:
            try:
                self._delete_config(name, needed, archives, folder)
            except FactoryError as error:
                log.warning("an earlier configuration stays: %s", error)

    def _settled(self) -> dict[str, Any] | None:
        """The endpoint once it is no longer on its way; None if there is none."""
        from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

        def moves(found: dict[str, Any] | None) -> bool:
            return found is not None and found["EndpointStatus"] in _MOVING

        # SageMaker tells nobody: its own waiter asks again and again too, but would take a
        # deployment that was rolled back for a success, and gives up after an hour.
        found: dict[str, Any] | None = Retrying(
            retry=retry_if_result(moves),
            wait=wait_fixed(POLL),
            stop=stop_after_delay(self.patience),
            retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
        )(self.find)
        if found is not None and moves(found):
            raise AwsError(
                f"the endpoint {self.name} is still {found['EndpointStatus']} after "
                f"{self.patience:g} seconds: raise `timeout`"
            )
        return found

    def _described(self, kind: str, name: str) -> dict[str, Any] | None:
        parameter = "".join(part.capitalize() for part in kind.split("_")) + "Name"
        call = getattr(self.client, f"describe_{kind}")
        return described(f"describe the {kind} {name}", call, {parameter: name})

    def _configs(self) -> Iterator[str]:
        """Names of the model's configurations, the newest first."""
        prefix = prefix_of(self.model)
        found: list[dict[str, Any]] = []
        with calling(f"list the endpoint configurations of {self.model}"):
            pages = self.client.get_paginator("list_endpoint_configs")
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

    def _delete_config(self, name: str, needed: set[str], archives: "Files", folder: str) -> None:
        models = self._models_of(name)
        with calling(f"delete the endpoint configuration {name}"):
            self.client.delete_endpoint_config(EndpointConfigName=name)
        log.info("deleted the endpoint configuration %s", name)
        for unused in models:
            model = self._described("model", unused)
            if unused in needed or model is None:
                continue
            with calling(f"delete the model {unused}"):
                self.client.delete_model(ModelName=unused)
            archive = str(model["PrimaryContainer"].get("ModelDataUrl", ""))
            if archive.startswith(archives.uri(folder) + "/"):
                archives.delete(archive.removeprefix(f"{archives.address}/"))

    @property
    def _log(self) -> str:
        return f"CloudWatch, group /aws/sagemaker/Endpoints/{self.name}"
