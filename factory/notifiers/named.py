"""`{type: notifier}`: a notifier that is named by its dotted path."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationInfo
from pydantic_core import PydanticCustomError

from factory.base.calls import ask_about_call
from factory.base.findings import Question
from factory.base.rules import Broken, rule
from factory.base.secrets import secrets_in
from factory.base.section import check_dotted_path
from factory.notifiers.message import Message
from factory.notifiers.notifier import AirflowNotifier, Notifier, check_installed

_PROVIDERS = "airflow.providers."
_AIRFLOWS_NOTIFIER = re.compile(r"airflow\.providers(\.[a-z_]\w*)+\.notifications(\.\w+){2}")
_VENDORS = ("apache", "atlassian", "cncf", "common", "dbt", "microsoft")
"""Parts of Airflow's package names that stand before the provider's own."""


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
    name = f"{first}-{second}" if first in _VENDORS else first
    check_installed(f"apache-airflow-providers-{name}", info.context)
    return value


class NamedNotifier(Notifier):
    """Any of Airflow's notifiers, or one of an allowed package, by dotted path.

    Texts in `arguments` may have templates, where `notification` is the message: its `event`,
    `subject`, `text`, `detail`, `url` and `facts`, such as `{{ notification.facts.run }}`.
    """

    type: Literal["notifier"]
    call: Annotated[str, AfterValidator(_check_notifier)] = Field(
        examples=["airflow.providers.smtp.notifications.smtp.SmtpNotifier"]
    )
    """The notifier's class by dotted path: one of Airflow's providers, or of an allowed package."""
    arguments: dict[str, Any] = Field(
        default_factory=dict, examples=[{"subject": "{{ notification.subject }}"}]
    )
    """What the notifier is made with, by name; in templates, `notification` is the message."""

    @rule
    def _no_secrets(self) -> Broken:
        for path in secrets_in(self.arguments):
            yield PydanticCustomError(
                "secret",
                "this is a secret by its name or its content, and a team file is no place for "
                "secrets",
                {
                    "at": ("arguments", *path),
                    "advice": "put it into an Airflow connection, and pass the connection's id",
                },
            )

    def questions(self) -> Iterator[Question]:
        """Whether the class takes the arguments."""
        question = ask_about_call(self.call, self.arguments)
        # Airflow's own may be named whatever packages are allowed.
        yield replace(question, imports=()) if self.call.startswith(_PROVIDERS) else question

    def through_airflow(self, message: Message) -> AirflowNotifier:  # noqa: ARG002 - by templates
        """The notifier that is named, its arguments the team's templates."""
        return AirflowNotifier(self.call, self.arguments, has_templates=True)
