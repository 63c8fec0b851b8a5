"""`deploy: {type: process}`: a `factory serve` that follows the champions by itself.

There is nothing to start here: the embedded runtime, or whoever runs the server elsewhere, sees to
that. To deploy is to wait until the server answers with the version.
"""

import os
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field, ValidationInfo
from pydantic_core import PydanticCustomError, Url

from factory.base.errors import TerminalError
from factory.base.hosts import InternalHostError, check_host, check_written_host
from factory.base.secrets import is_secret_address
from factory.base.section import Text
from factory.deploy.targets.target import (
    Built,
    DeployContext,
    Deployed,
    PredictionAnswer,
    PredictionRequest,
    Target,
)
from factory.models.record import ModelRecord

if TYPE_CHECKING:
    from tenacity import Retrying

VARIABLE = "FACTORY_SERVING_URL"
"""Where the server answers, unless the section says so."""

_PAUSE = 0.5
_PATIENCE = 10.0
"""Seconds for a server that is being restarted, to say what it runs."""


def _check_address(value: str, info: ValidationInfo) -> str:
    try:
        url = Url(value)
    except ValueError:
        url = None
    # What comes after these would be cut off.
    if url is None or url.scheme not in ("http", "https") or "?" in value or "#" in value:
        raise PydanticCustomError(
            "address",
            "{value} is no address of a server: write http://host:port or https://host",
            {"value": repr(value)},
        )
    if is_secret_address(value):
        raise PydanticCustomError(
            "secret_address",
            "this address holds a password or token, which must not stand in a team file: "
            "leave it out, and let a proxy add it",
        )
    check_written_host(str(url.host), info.context)
    return value.rstrip("/")


class ProcessTarget(Target):
    """A `factory serve` that answers for many models.

    `factory up` and `factory demo` start one. Elsewhere, `url` or the variable FACTORY_SERVING_URL
    says where it answers.
    """

    needs_making: ClassVar[bool] = False

    type: Literal["process"]
    url: Annotated[Text, AfterValidator(_check_address)] | None = Field(
        default=None, examples=["https://models.example.org"]
    )
    """Where the server answers; what the variable FACTORY_SERVING_URL says when left out. A server of the workers' own
    network must be among the platform's `internal_hosts`."""

    @property
    def wants_local_server(self) -> bool:
        """See `Target.wants_local_server`."""
        return self.url is None

    def running(self, context: DeployContext, model: str) -> Deployed | None:
        """The version that the server answers with.

        Raises:
            NoAnswerError: The server does not answer.
        """
        self._check_server(context)
        details = _waiting(_PATIENCE)(self._details, model)
        version = details.get("version")
        return None if version is None else self._deployed(model, version)

    def deploy(self, context: DeployContext, record: ModelRecord, built: Built | None) -> Deployed:
        """Wait until the server answers with the version.

        Raises:
            NoAnswerError: It does not, in time.
            TerminalError: The server refuses the version.
        """
        del built
        self._check_server(context)
        return _waiting(self.timeout)(self._settled, context, record.model, record.version)

    def predict(
        self, context: DeployContext, deployed: Deployed, question: PredictionRequest
    ) -> PredictionAnswer:
        """Ask the server as its callers do.

        Raises:
            NoAnswerError: The server does not answer, or is in trouble.
            TerminalError: It refuses the question.
        """
        from factory.deploy.http import ask

        self._check_server(context)
        return ask(f"{deployed.address}/predict", question)

    def restore(self, context: DeployContext, record: ModelRecord, before: Deployed | None) -> None:
        """Wait until the server answers with what is in production by now.

        Raises:
            NoAnswerError: It does not, in time.
            TerminalError: The server refuses that too.
        """
        from factory.models import registry

        del before  # The server follows the registry, which knows.
        self._check_server(context)
        champion = registry.champion(record.model, tracking=context.tracking)
        if champion is not None and champion.number != record.version:
            _waiting(self.timeout)(self._settled, context, record.model, champion.number)

    def _check_server(self, context: DeployContext) -> None:
        """Check that the team may name the server; that of the variable is the platform's.

        Raises:
            TerminalError: It may not.
        """
        if self.url is not None:
            try:
                check_host(str(Url(self.url).host), context.internal_hosts)
            except InternalHostError as error:
                raise TerminalError(str(error)) from None

    @property
    def _server(self) -> str:
        """The server's address.

        Raises:
            TerminalError: Nobody says where it is.
        """
        url = self.url or os.environ.get(VARIABLE)
        if not url:
            raise TerminalError(
                f"no server is named: write `url` under `deploy`, or set {VARIABLE}, such as "
                "http://localhost:8000, to where `factory serve` answers. `factory up` starts one of "
                "its own if a model had `deploy: {type: process}` by then: start it again"
            )
        return url.rstrip("/")

    def _settled(self, context: DeployContext, model: str, version: int) -> Deployed:
        from factory.deploy.http import NoAnswerError

        details = self._details(model)
        if details.get("version") == version:
            return self._deployed(model, version)
        refused = details.get("refused") or {}
        if refused.get("version") == version and refused.get("final"):
            raise TerminalError(
                f"{self._server} refuses version {version} of {model}: {refused.get('reason')}. Its log "
                "has the details"
            )
        raise NoAnswerError(
            f"{self._server} answers with {_words(details.get('version'))} of {model} and not with "
            f"version {version}: check that it follows the registry at {context.tracking.public_uri}"
        )

    def _details(self, model: str) -> dict[str, Any]:
        import httpx

        from factory.deploy.http import NoAnswerError

        address = self._address(model)
        try:
            answer = httpx.get(address, timeout=10)
        except httpx.TransportError as error:
            raise NoAnswerError(
                f"{self._server} does not answer: {error or type(error).__name__}"
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
            raise TerminalError(
                f"{self._server} is no `factory serve`: {address} tells of no version"
            )
        return found

    def _deployed(self, model: str, version: int) -> Deployed:
        return Deployed(model=model, version=version, address=self._address(model))

    def _address(self, model: str) -> str:
        team, _, name = model.partition(".")
        return f"{self._server}/models/{team}/{name}"


def _waiting(seconds: float) -> "Retrying":
    from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

    from factory.deploy.http import NoAnswerError

    return Retrying(
        retry=retry_if_exception_type(NoAnswerError),
        stop=stop_after_delay(seconds),
        wait=wait_fixed(_PAUSE),
        reraise=True,
    )


def _words(version: int | None) -> str:
    return "no version" if version is None else f"version {version}"
