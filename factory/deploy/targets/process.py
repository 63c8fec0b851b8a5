"""The target `process`: a `factory serve` that follows the champions by itself.

There is nothing to start here: the embedded runtime, or whoever runs the server elsewhere, sees to
that. To deploy is to wait until the server answers with the version.
"""

import os
from pathlib import Path
from typing import Any

import httpx
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from factory.base.errors import TerminalError
from factory.deploy.http import NoAnswerError, ask
from factory.deploy.protocol import Answer, Built, Deployed, Question, Release
from factory.deploy.targets.process_section import ProcessDeploy
from factory.models import registry
from factory.models.tracking import Tracking

VARIABLE = "FACTORY_SERVING_URL"
"""Where the server answers, unless the section says so."""

_PAUSE = 0.5
_PATIENCE = 10.0
"""Seconds for a server that is being restarted, to say what it runs."""


class ProcessTarget:
    """A server, asked over HTTP.

    Raises:
        TerminalError: Nobody says where the server is.
    """

    def __init__(self, section: ProcessDeploy, tracking: Tracking) -> None:
        url = section.url or os.environ.get(VARIABLE)
        if not url:
            raise TerminalError(
                f"no server is named: write `url` under `deploy`, or set {VARIABLE}, such as "
                "http://localhost:8000, to where `factory serve` answers. `factory up` starts one of "
                "its own if a model had `deploy: {type: process}` by then: start it again"
            )
        self._url = url.rstrip("/")
        self._timeout = section.timeout
        self._tracking = tracking

    def running(self, model: str) -> Deployed | None:
        """The version that the server answers with.

        Raises:
            NoAnswerError: The server does not answer.
        """
        details = self._waiting(_PATIENCE)(self._details, model)
        version = details.get("version")
        return None if version is None else self._deployed(model, version)

    def build(self, release: Release, folder: Path) -> Built | None:
        """Nothing: the server reads versions from the registry."""
        del release, folder
        return None

    def deploy(self, release: Release, built: Built | None) -> Deployed:
        """Wait until the server answers with the version.

        Raises:
            NoAnswerError: It does not, in time.
            TerminalError: The server refuses the version.
        """
        del built
        return self._waiting(self._timeout)(self._settled, release.model, release.version)

    def predict(self, deployed: Deployed, question: Question) -> Answer:
        """Ask the server as its callers do.

        Raises:
            NoAnswerError: The server does not answer, or is in trouble.
            TerminalError: It refuses the question.
        """
        return ask(f"{deployed.address}/predict", question)

    def restore(self, release: Release, before: Deployed | None) -> None:
        """Wait until the server answers with what is in production by now.

        Raises:
            NoAnswerError: It does not, in time.
            TerminalError: The server refuses that too.
        """
        del before  # The server follows the registry, which knows.
        champion = registry.champion(release.model, tracking=self._tracking)
        if champion is not None and champion.number != release.version:
            self._waiting(self._timeout)(self._settled, release.model, champion.number)

    def _settled(self, model: str, version: int) -> Deployed:
        details = self._details(model)
        if details.get("version") == version:
            return self._deployed(model, version)
        refused = details.get("refused") or {}
        if refused.get("version") == version and refused.get("final"):
            raise TerminalError(
                f"{self._url} refuses version {version} of {model}: {refused.get('reason')}. Its log "
                "has the details"
            )
        raise NoAnswerError(
            f"{self._url} answers with {_words(details.get('version'))} of {model} and not with "
            f"version {version}: check that it follows the registry at {self._tracking.public_uri}"
        )

    def _details(self, model: str) -> dict[str, Any]:
        address = self._address(model)
        try:
            answer = httpx.get(address, timeout=10)
        except httpx.TransportError as error:
            raise NoAnswerError(
                f"{self._url} does not answer: {error or type(error).__name__}"
            ) from None
        if answer.status_code == 404:
            return {}  # As long as it has had no champion.
        if not answer.is_success:
            raise NoAnswerError(f"{address} answers with {answer.status_code}")
        try:
            found = answer.json()
        except ValueError:
            found = None
        if not isinstance(found, dict) or "version" not in found:
            raise TerminalError(f"{self._url} is no `factory serve`: {address} tells of no version")
        return found

    def _deployed(self, model: str, version: int) -> Deployed:
        return Deployed(model=model, version=version, address=self._address(model))

    def _address(self, model: str) -> str:
        team, _, name = model.partition(".")
        return f"{self._url}/models/{team}/{name}"

    def _waiting(self, seconds: float) -> Retrying:
        return Retrying(
            retry=retry_if_exception_type(NoAnswerError),
            stop=stop_after_delay(seconds),
            wait=wait_fixed(_PAUSE),
            reraise=True,
        )


def _words(version: int | None) -> str:
    return "no version" if version is None else f"version {version}"
