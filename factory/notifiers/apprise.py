"""`{type: apprise}`."""

from typing import Literal

from factory.base.section import Text
from factory.notifiers.message import Message
from factory.notifiers.notifier import AirflowNotifier, Notifier


class AppriseNotifier(Notifier):
    """Whatever Apprise reaches, through an Apprise connection."""

    PACKAGES = ("apache-airflow-providers-apprise",)

    type: Literal["apprise"]
    connection: Text = "apprise_default"
    """The Airflow connection of type `apprise`."""
    tag: Text = "all"
    """Which of the connection's services are meant."""

    def through_airflow(self, message: Message) -> AirflowNotifier:
        """The notifier of Airflow's Apprise provider."""
        return AirflowNotifier(
            "airflow.providers.apprise.notifications.apprise.AppriseNotifier",
            {
                "title": message.subject,
                "body": message.text,
                "tag": self.tag,
                "apprise_conn_id": self.connection,
            },
        )
