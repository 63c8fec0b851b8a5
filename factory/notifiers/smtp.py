"""`{type: smtp}`."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from factory.base.section import ListOf, Text
from factory.notifiers.message import Message
from factory.notifiers.notifier import AirflowNotifier, Notifier


def _check_mail_address(value: str) -> str:
    if not re.fullmatch(r"[^@\s]+@[^@\s]+", value):
        raise PydanticCustomError(
            "mail_address",
            "{value} is no e-mail address: write one such as team@example.org",
            {"value": repr(value)},
        )
    return value


MailAddress = Annotated[Text, AfterValidator(_check_mail_address)]


class SmtpNotifier(Notifier):
    """An e-mail through an Airflow SMTP connection."""

    type: Literal["smtp"]
    to: ListOf[MailAddress] = Field(min_length=1, examples=[["harbour@example.org"]])
    """The addresses that get the e-mail."""
    connection: Text = "smtp_default"
    """The Airflow connection of the mail server."""
    sender: MailAddress | None = None
    """Whom it comes from; the connection's `from_email` when left out."""

    def through_airflow(self, message: Message) -> AirflowNotifier:
        """The notifier of Airflow's SMTP provider."""
        return AirflowNotifier(
            "airflow.providers.smtp.notifications.smtp.SmtpNotifier",
            {
                "to": list(self.to),
                "from_email": self.sender,
                "subject": message.subject,
                "html_content": message.html,
                "smtp_conn_id": self.connection,
            },
        )
