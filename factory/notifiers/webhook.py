"""`{type: webhook}`."""

from typing import Annotated, Literal

from pydantic import AfterValidator, AnyHttpUrl
from pydantic_core import PydanticCustomError

from factory.base.hosts import PublicUrl
from factory.base.rules import Broken, rule
from factory.base.secrets import is_secret_address
from factory.base.section import Text
from factory.notifiers.message import Message
from factory.notifiers.notifier import AirflowNotifier, Notifier


def _check_open_address(value: AnyHttpUrl) -> AnyHttpUrl:
    if is_secret_address(str(value)):
        raise PydanticCustomError(
            "secret",
            "this address is a secret, or holds one, and a team file is no place for secrets",
            {
                "advice": "put it into an Airflow connection, and name that: "
                "`connection: my_connection`"
            },
        )
    return value


class WebhookNotifier(Notifier):
    """A JSON object, posted to an address or to the one of an Airflow HTTP connection."""

    type: Literal["webhook"]
    connection: Text | None = None
    """An Airflow HTTP connection: address, login and headers. Either it or `url` is written."""
    url: Annotated[PublicUrl, AfterValidator(_check_open_address)] | None = None
    """The address that is posted to, without any secret in it."""

    @rule
    def _one_address(self) -> Broken:
        if (self.connection is None) == (self.url is None):
            yield PydanticCustomError(
                "webhook",
                "write either `connection`, an Airflow HTTP connection, or `url`, an address "
                "without any secret in it",
            )

    def through_airflow(self, message: Message) -> AirflowNotifier:
        """A notifier of ours, which knows Airflow's connections."""
        return AirflowNotifier(
            "factory.airflow.messages.PostJson",
            {
                "body": message.as_json(),
                "url": str(self.url) if self.url else None,
                "connection": self.connection,
            },
        )
