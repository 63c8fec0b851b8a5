"""`deploy: {type: container}`: one container on the machine of a Docker or Podman engine."""

import json
import logging
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from factory.base.errors import FactoryError, TerminalError
from factory.base.processes import CommandError, first_of, run
from factory.base.section import Text
from factory.deploy.container_image import ContainerImage
from factory.deploy.targets.target import (
    Built,
    DeployContext,
    Deployed,
    PredictionAnswer,
    PredictionRequest,
    Target,
    plain_name,
)
from factory.models.record import ModelRecord

log = logging.getLogger(__name__)

ENGINES = ("docker", "podman")

_SECONDS = 120.0
"""For one command of the engine; fetching a container image has more."""
_PULL_SECONDS = 1800.0
_PAUSE = 0.5
_LAST_LINES = "30"
_MEMORY = re.compile(r"[1-9]\d*[kmg]")


def _check_memory(value: str) -> str:
    if not _MEMORY.fullmatch(value):
        raise PydanticCustomError(
            "memory",
            "{value} is no amount of memory for a container: write a whole number and k, m or g, "
            "such as 512m or 2g",
            {"value": repr(value)},
        )
    return value


class NotReadyError(FactoryError):
    """A container does not answer yet."""


class ContainerTarget(Target):
    """A container image with the champion in it, run as one container.

    The container of the earlier version is stopped when the new one starts, since both answer on
    one port: callers wait for some seconds. Where they must not, deploy to Kubernetes.
    """

    type: Literal["container"]
    image: ContainerImage
    """The container image that is built of each version."""
    engine: Literal["docker", "podman"] | None = None
    """What runs it; the first of them that the machine has when left out."""
    host: Text = "127.0.0.1"
    """The address of the engine's machine that it listens on, and that it is asked at."""
    port: int = Field(default=8080, ge=1, le=65535)
    """The port of the engine's machine."""
    memory: Annotated[Text, AfterValidator(_check_memory)] | None = Field(
        default=None, examples=["2g"]
    )
    """Most memory, such as `2g`; no limit when left out."""
    cpus: float | None = Field(default=None, gt=0)
    """Most processors; no limit when left out."""

    @property
    def _program(self) -> str:
        return first_of(ENGINES, self.engine, "runs containers")

    @property
    def _address(self) -> str:
        host = self.host
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - not bound to
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    def running(self, context: DeployContext, model: str) -> Deployed | None:
        """The version of the container that there is, whether or not it answers.

        Raises:
            CommandError: The engine does not answer.
        """
        del context
        found = self._own(model)
        if found is None:
            return None
        version = int(found["Config"]["Labels"]["factory.version"])
        return self._deployed(model, version, found["Config"]["Image"])

    def make(self, context: DeployContext, record: ModelRecord, folder: Path) -> Built | None:
        """Build the container image that holds the version, and push it.

        Raises:
            TerminalError: A program, a package or a permission is missing.
            FactoryError: The model cannot be fetched, or the builder or the registry failed.
        """
        from factory.deploy.builders import make_container_image_with_model

        return make_container_image_with_model(self.image, record, folder, context)

    def deploy(self, context: DeployContext, record: ModelRecord, built: Built | None) -> Deployed:
        """Start the version's container in place of the one before, and wait until it answers.

        Raises:
            TerminalError: The container ends by itself.
            FactoryError: It does not answer in time, or the engine fails.
        """
        del context
        if built is None:
            raise TerminalError(
                f"there is no container image of {record.model}: its build left none"
            )
        return self._run(record.model, record.version, built.reference)

    def predict(
        self, context: DeployContext, deployed: Deployed, question: PredictionRequest
    ) -> PredictionAnswer:
        """Ask the container over the port that its callers use.

        Raises:
            NoAnswerError: It does not answer, or is in trouble.
            TerminalError: It refuses the question.
        """
        from factory.deploy.http import invoke

        del context
        return invoke(deployed.address, question)

    def restore(self, context: DeployContext, record: ModelRecord, before: Deployed | None) -> None:
        """Start the container of the version before again, or remove what was begun.

        Raises:
            FactoryError: It does not answer: says what a person must do.
        """
        del context
        if before is None:
            self._remove(record.model)
            return
        reference = str(before.details["image"])
        try:
            self._run(before.model, before.version, reference)
        except FactoryError as error:
            raise type(error)(
                f"version {before.version} of {before.model} ran until now and could not be started "
                f"again, so nothing may be answering on {self._address}: start it by hand "
                f"({self._program} run … {reference}): {error}"
            ) from error

    def _run(self, model: str, version: int, reference: str) -> Deployed:
        name = plain_name(model)
        deployed = self._deployed(model, version, reference)
        found = self._own(model)
        if found and found["Config"]["Image"] == reference and found["State"]["Running"]:
            log.info("%s runs %s already", name, reference)
        else:
            self._fetch(reference)  # before the other one is stopped
            self._remove(model)
            options = self._options(name, model, version)
            run([self._program, "run", *options, reference], seconds=_SECONDS)
        self._await(name)
        return deployed

    def _options(self, name: str, model: str, version: int) -> list[str]:
        options = [
            *("--detach", "--name", name, "--restart", "unless-stopped"),
            *("--label", f"factory.model={model}", "--label", f"factory.version={version}"),
            *("--publish", f"{_bracketed(self.host)}:{self.port}:8080"),
            *("--read-only", "--tmpfs", "/tmp", "--init"),  # noqa: S108 - in the container
            *("--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
        ]
        if self.memory:
            options += ["--memory", self.memory]
        if self.cpus:
            options += ["--cpus", f"{self.cpus:g}"]
        return options

    def _await(self, name: str) -> None:
        from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

        waiting = Retrying(
            retry=retry_if_exception_type(NotReadyError),
            stop=stop_after_delay(self.timeout),
            wait=wait_fixed(_PAUSE),
            reraise=True,
        )
        try:
            waiting(self._ready, name)
        except FactoryError as error:
            raise type(error)(f"{error}\n{self._logs(name)}") from None

    def _ready(self, name: str) -> None:
        import httpx

        found = self._inspect(name)
        if found is None or not found["State"]["Running"] or found.get("RestartCount"):
            state = found["State"] if found else {}
            raise TerminalError(
                f"the container {name} ended by itself, with status {state.get('ExitCode')}"
            )
        try:
            answer = httpx.get(f"{self._address}/ping", timeout=5, trust_env=False)
        except httpx.TransportError as error:
            raise NotReadyError(
                f"the container {name} does not answer on {self._address}: {type(error).__name__}"
            ) from None
        if not answer.is_success:
            raise NotReadyError(
                f"the container {name} is not ready: /ping answers with {answer.status_code}"
            )

    def _logs(self, name: str) -> str:
        try:
            run([self._program, "logs", "--tail", _LAST_LINES, name], seconds=_SECONDS)
        except CommandError as error:
            return f"its log cannot be had: {error}"
        return "its last words are in this task's log, above"

    def _fetch(self, reference: str) -> None:
        wanted = ["images", "--quiet", "--filter", f"reference={reference}"]
        if not run([self._program, *wanted], seconds=_SECONDS, quiet=True).strip():
            run([self._program, "pull", reference], seconds=_PULL_SECONDS)

    def _remove(self, model: str) -> None:
        if self._own(model) is not None:
            run([self._program, "rm", "--force", plain_name(model)], seconds=_SECONDS)

    def _own(self, model: str) -> dict[str, Any] | None:
        """The model's container; None if there is none.

        Raises:
            TerminalError: There is another one's of the same name.
        """
        found = self._inspect(plain_name(model))
        if found is None:
            return None
        if (found["Config"].get("Labels") or {}).get("factory.model") != model:
            raise TerminalError(
                f"there is a container {plain_name(model)} that was not started for {model}: remove it, or "
                f"give it another name ({self._program} rename)"
            )
        return found

    def _inspect(self, name: str) -> dict[str, Any] | None:
        # A list can be empty, while `inspect` of nothing is an error like any other.
        listed = ["ps", "--all", "--filter", f"name=^{name}$", "--format", "{{.Names}}"]
        if not run([self._program, *listed], seconds=_SECONDS, quiet=True).strip():
            return None
        found = run([self._program, "container", "inspect", name], seconds=_SECONDS, quiet=True)
        details: dict[str, Any] = json.loads(found)[0]
        return details

    def _deployed(self, model: str, version: int, reference: str) -> Deployed:
        details = {"image": reference}
        return Deployed(model=model, version=version, address=self._address, details=details)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
