"""`notify`: who is told what.

It may stand in `_defaults.yaml`, in a team's file, at a dataset and at a model. For each event, the
most specific place that names it decides alone: lists are replaced, not added up, and an empty list
silences an event.
"""

import re
from functools import cache
from importlib import metadata
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, AnyHttpUrl, Field, ValidationInfo, model_validator
from pydantic_core import PydanticCustomError

from factory.base.secrets import is_secret_address, secrets_in
from factory.base.section import ListOf, Section, Surroundings, Text, check_dotted_path

_PROVIDERS = "airflow.providers."
_AIRFLOWS_NOTIFIER = re.compile(r"airflow\.providers(\.[a-z_]\w*)+\.notifications(\.\w+){2}")
_FAMILIES = ("apache", "atlassian", "cncf", "common", "dbt", "microsoft")
"""Parts of Airflow's package names that stand before the provider's own."""

_IN_A_CONNECTION = "put it into an Airflow connection, and name that: `connection: my_connection`"


@cache
def _is_installed(package: str) -> bool:
    try:
        metadata.distribution(package)
    except metadata.PackageNotFoundError:
        return False
    return True


def _check_installed(package: str, info: ValidationInfo, at: tuple[str, ...]) -> None:
    if isinstance(info.context, Surroundings) and not _is_installed(package):
        raise PydanticCustomError(
            "not_installed",
            "this notifier needs the package {package}, which is not installed",
            {"package": package, "at": at, "advice": f"install it: pip install {package}"},
        )


class LogTarget(Section):
    """A line in the log of the process that sends it."""

    type: Literal["log"]


def _check_mail_address(value: str) -> str:
    if not re.fullmatch(r"[^@\s]+@[^@\s]+", value):
        raise PydanticCustomError(
            "mail_address",
            "{value} is no e-mail address: write one such as team@example.org",
            {"value": repr(value)},
        )
    return value


MailAddress = Annotated[Text, AfterValidator(_check_mail_address)]


class SmtpTarget(Section):
    """An e-mail through an Airflow SMTP connection."""

    type: Literal["smtp"]
    to: ListOf[MailAddress] = Field(min_length=1)
    connection: Text = "smtp_default"
    sender: MailAddress | None = None
    """Whom it comes from; the connection's `from_email` when left out."""


class _ProviderTarget(Section):
    """A target whose notifier is in one of Airflow's provider packages."""

    @model_validator(mode="after")
    def _provider(self, info: ValidationInfo) -> "_ProviderTarget":
        _check_installed(PACKAGES[self.type], info, ("type",))  # type: ignore[attr-defined]
        return self


class SlackTarget(_ProviderTarget):
    """A message to a Slack channel, through a Slack API connection."""

    type: Literal["slack"]
    channel: Text
    connection: Text = "slack_api_default"


class SlackWebhookTarget(_ProviderTarget):
    """A message to the channel that a Slack webhook connection stands for."""

    type: Literal["slack_webhook"]
    connection: Text = "slack_default"


class AppriseTarget(_ProviderTarget):
    """Whatever Apprise reaches, through an Apprise connection."""

    type: Literal["apprise"]
    connection: Text = "apprise_default"
    tag: Text = "all"
    """Which of the connection's services are meant."""


PACKAGES = {
    "slack": "apache-airflow-providers-slack",
    "slack_webhook": "apache-airflow-providers-slack",
    "apprise": "apache-airflow-providers-apprise",
}
"""What has to be installed for a type of target."""


def _check_open_address(value: AnyHttpUrl) -> AnyHttpUrl:
    if is_secret_address(str(value)):
        raise PydanticCustomError(
            "secret",
            "this address is a secret, or holds one, and a team file is no place for secrets",
            {"advice": _IN_A_CONNECTION},
        )
    return value


class WebhookTarget(Section):
    """A JSON object, posted to an address or to the one of an Airflow HTTP connection."""

    type: Literal["webhook"]
    connection: Text | None = None
    url: Annotated[AnyHttpUrl, AfterValidator(_check_open_address)] | None = None

    @model_validator(mode="after")
    def _one_address(self) -> "WebhookTarget":
        if (self.connection is None) == (self.url is None):
            raise PydanticCustomError(
                "webhook",
                "write either `connection`, an Airflow HTTP connection, or `url`, an address "
                "without any secret in it",
            )
        return self


def _check_notifier(value: str, info: ValidationInfo) -> str:
    if not value.startswith(_PROVIDERS):
        return check_dotted_path(value, info)
    if not _AIRFLOWS_NOTIFIER.fullmatch(value):
        raise PydanticCustomError(
            "notifier",
            "{value} is none of Airflow's notifiers: they are classes in the providers' "
            "`notifications`, such as airflow.providers.smtp.notifications.smtp.SmtpNotifier",
            {"value": repr(value)},
        )
    first, second, *_ = value.removeprefix(_PROVIDERS).split(".")
    name = f"{first}-{second}" if first in _FAMILIES else first
    _check_installed(f"apache-airflow-providers-{name}", info, ())
    return value


class NotifierTarget(Section):
    """Any of Airflow's notifiers, or one of an allowed package, by dotted path.

    Texts in `arguments` may have templates, where `notification` is the message: its `event`,
    `subject`, `text`, `detail`, `url` and `facts`, such as `{{ notification.facts.run }}`.
    """

    type: Literal["notifier"]
    call: Annotated[str, AfterValidator(_check_notifier)]
    arguments: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _no_secrets(self) -> "NotifierTarget":
        for path in secrets_in(self.arguments):
            raise PydanticCustomError(
                "secret",
                "this is a secret by its name or its content, and a team file is no place for "
                "secrets",
                {
                    "at": ("arguments", *path),
                    "advice": "put it into an Airflow connection, and pass the connection's id",
                },
            )
        return self


Target = Annotated[
    LogTarget
    | SmtpTarget
    | SlackTarget
    | SlackWebhookTarget
    | WebhookTarget
    | AppriseTarget
    | NotifierTarget,
    Field(discriminator="type"),
]

Targets = ListOf[Target] | None

Event = Literal["on_failure", "on_promotion", "on_kept_champion", "on_breach", "on_dataset"]
EVENTS: tuple[Event, ...] = get_args(Event)


class DatasetNotify(Section):
    """Whom to tell what becomes of a dataset."""

    on_failure: Targets = None
    """A run failed; one message a run."""
    on_dataset: Targets = None
    """A snapshot was published."""


class Notify(DatasetNotify):
    """Whom to tell what becomes of datasets and models."""

    on_promotion: Targets = None
    """A version has become the champion."""
    on_kept_champion: Targets = None
    """A new version was trained, and the champion stays."""
    on_breach: Targets = None
    """Monitoring has found a drift, or a loss of quality."""


def targets(event: Event, *places: DatasetNotify | None) -> tuple[Target, ...]:
    """Who is told of an event.

    Args:
        event: The event.
        places: The sections `notify`, the most specific one first.
    """
    for place in places:
        found: tuple[Target, ...] | None = getattr(place, event, None)
        if found is not None:
            return found
    return ()
