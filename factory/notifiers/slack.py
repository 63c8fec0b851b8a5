"""`{type: slack}`."""

from typing import Literal

from factory.base.section import Text
from factory.notifiers.message import Message
from factory.notifiers.notifier import AirflowNotifier, Notifier


class SlackNotifier(Notifier):
    """A message to a Slack channel, through a Slack API connection."""

    PACKAGES = ("apache-airflow-providers-slack",)

    type: Literal["slack"]
    channel: Text
    """The channel that gets the message, by name or id."""
    connection: Text = "slack_api_default"
    """The Airflow connection to Slack's API, which has the token."""

    def through_airflow(self, message: Message) -> AirflowNotifier:
        """The notifier of Airflow's Slack provider."""
        return AirflowNotifier(
            "airflow.providers.slack.notifications.slack.SlackNotifier",
            {
                "slack_conn_id": self.connection,
                "text": message.text,
                "channel": self.channel,
            },
        )
