"""The target `container`: one container on the machine of a Docker or Podman engine."""

import json
import logging
from pathlib import Path
from typing import Any

import httpx
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from factory.base.errors import FactoryError, TerminalError
from factory.base.processes import CommandError, first_of, run
from factory.deploy.access import Places
from factory.deploy.container_image import make_image
from factory.deploy.invocations import invoke
from factory.deploy.model_folder import fill_model_folder
from factory.deploy.names import plain_name
from factory.deploy.protocol import Answer, Built, Deployed, Question, Release
from factory.deploy.targets.container_section import ContainerDeploy
from factory.models.tracking import Tracking

log = logging.getLogger(__name__)

ENGINES = ("docker", "podman")

_SECONDS = 120.0
"""For one command of the engine; fetching an image has more."""
_PULL_SECONDS = 1800.0
_PAUSE = 0.5
_LAST_LINES = "30"


class NotReadyError(FactoryError):
    """A container does not answer yet."""


class ContainerTarget:
    """Runs the container `<team>-<model>`, which has the label `factory.version`."""

    def __init__(self, section: ContainerDeploy, tracking: Tracking, places: Places) -> None:
        self._section = section
        self._tracking = tracking
        self._places = places

    @property
    def _engine(self) -> str:
        return first_of(ENGINES, self._section.engine, "runs containers")

    @property
    def _url(self) -> str:
        host = self._section.host
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - not bound to
        return f"http://{f'[{host}]' if ':' in host else host}:{self._section.port}"

    def running(self, model: str) -> Deployed | None:
        """The version of the container that there is, whether or not it answers.

        Raises:
            CommandError: The engine does not answer.
        """
        found = self._own(model)
        if found is None:
            return None
        version = int(found["Config"]["Labels"]["factory.version"])
        return self._deployed(model, version, found["Config"]["Image"])

    def build(self, release: Release, folder: Path) -> Built | None:
        """Build the image that holds the version, and push it.

        Raises:
            TerminalError: A program, a package or a permission is missing.
            FactoryError: The model cannot be fetched, or the builder or the registry failed.
        """
        model_folder = folder / "model"
        fill_model_folder(release, model_folder, self._tracking)
        return make_image(
            self._section.image, release, folder, self._places, model_folder=model_folder
        )

    def deploy(self, release: Release, built: Built | None) -> Deployed:
        """Start the version's container in place of the one before, and wait until it answers.

        Raises:
            TerminalError: The container ends by itself.
            FactoryError: It does not answer in time, or the engine fails.
        """
        if built is None:
            raise TerminalError(f"there is no image of {release.model}: its build left none")
        return self._run(release.model, release.version, built.reference)

    def predict(self, deployed: Deployed, question: Question) -> Answer:
        """Ask the container over the port that its callers use.

        Raises:
            NoAnswerError: It does not answer, or is in trouble.
            TerminalError: It refuses the question.
        """
        return invoke(deployed.address, question)

    def restore(self, release: Release, before: Deployed | None) -> None:
        """Start the container of the version before again, or remove what was begun.

        Raises:
            FactoryError: It does not answer: says what a person must do.
        """
        if before is None:
            self._remove(release.model)
            return
        image = str(before.details["image"])
        try:
            self._run(before.model, before.version, image)
        except FactoryError as error:
            raise type(error)(
                f"version {before.version} of {before.model} ran until now and could not be started "
                f"again, so nothing may be answering on {self._url}: start it by hand "
                f"({self._engine} run … {image}): {error}"
            ) from error

    def _run(self, model: str, version: int, image: str) -> Deployed:
        name = plain_name(model)
        deployed = self._deployed(model, version, image)
        found = self._own(model)
        if found and found["Config"]["Image"] == image and found["State"]["Running"]:
            log.info("%s runs %s already", name, image)
        else:
            self._fetch(image)  # before the other one is stopped
            self._remove(model)
            run(
                [self._engine, "run", *self._options(name, model, version), image], seconds=_SECONDS
            )
        self._await(name)
        return deployed

    def _options(self, name: str, model: str, version: int) -> list[str]:
        section = self._section
        options = [
            *("--detach", "--name", name, "--restart", "unless-stopped"),
            *("--label", f"factory.model={model}", "--label", f"factory.version={version}"),
            *("--publish", f"{_bracketed(section.host)}:{section.port}:8080"),
            *("--read-only", "--tmpfs", "/tmp", "--init"),  # noqa: S108 - in the container
            *("--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
        ]
        if section.memory:
            options += ["--memory", section.memory]
        if section.cpus:
            options += ["--cpus", f"{section.cpus:g}"]
        return options

    def _await(self, name: str) -> None:
        waiting = Retrying(
            retry=retry_if_exception_type(NotReadyError),
            stop=stop_after_delay(self._section.timeout),
            wait=wait_fixed(_PAUSE),
            reraise=True,
        )
        try:
            waiting(self._ready, name)
        except FactoryError as error:
            raise type(error)(f"{error}\n{self._logs(name)}") from None

    def _ready(self, name: str) -> None:
        found = self._inspect(name)
        if found is None or not found["State"]["Running"] or found.get("RestartCount"):
            state = found["State"] if found else {}
            raise TerminalError(
                f"the container {name} ended by itself, with status {state.get('ExitCode')}"
            )
        try:
            answer = httpx.get(f"{self._url}/ping", timeout=5, trust_env=False)
        except httpx.TransportError as error:
            raise NotReadyError(
                f"the container {name} does not answer on {self._url}: {type(error).__name__}"
            ) from None
        if not answer.is_success:
            raise NotReadyError(
                f"the container {name} is not ready: /ping answers with {answer.status_code}"
            )

    def _logs(self, name: str) -> str:
        try:
            run([self._engine, "logs", "--tail", _LAST_LINES, name], seconds=_SECONDS)
        except CommandError as error:
            return f"its log cannot be had: {error}"
        return "its last words are in this task's log, above"

    def _fetch(self, image: str) -> None:
        if not self._there("image", image):
            run([self._engine, "pull", image], seconds=_PULL_SECONDS)

    def _remove(self, model: str) -> None:
        if self._own(model) is not None:
            run([self._engine, "rm", "--force", plain_name(model)], seconds=_SECONDS)

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
                f"give it another name ({self._engine} rename)"
            )
        return found

    def _inspect(self, name: str) -> dict[str, Any] | None:
        if not self._there("container", name):
            return None
        found = run([self._engine, "container", "inspect", name], seconds=_SECONDS, quiet=True)
        details: dict[str, Any] = json.loads(found)[0]
        return details

    def _there(self, kind: str, name: str) -> bool:
        """Whether there is one; a list can be empty, while `inspect` of nothing is an error like any."""
        if kind == "container":
            filters = ["ps", "--all", "--filter", f"name=^{name}$", "--format", "{{.Names}}"]
            return bool(run([self._engine, *filters], seconds=_SECONDS, quiet=True).strip())
        found = run(
            [self._engine, "images", "--quiet", "--filter", f"reference={name}"],
            seconds=_SECONDS,
            quiet=True,
        )
        return bool(found.strip())

    def _deployed(self, model: str, version: int, image: str) -> Deployed:
        return Deployed(model=model, version=version, address=self._url, details={"image": image})


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
