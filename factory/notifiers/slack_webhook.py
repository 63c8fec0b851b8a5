"""`{type: slack_webhook}`."""

from typing import Literal

from factory.base.section import Text
from factory.notifiers.message import Message
from factory.notifiers.notifier import AirflowNotifier, Notifier


class SlackWebhookNotifier(Notifier):
    """A message to the channel that a Slack webhook connection stands for."""

    PACKAGES = ("apache-airflow-providers-slack",)

    type: Literal["slack_webhook"]
    connection: Text = "slack_default"
    """The Airflow connection that holds the webhook."""

    def through_airflow(self, message: Message) -> AirflowNotifier:
        """The webhook's notifier of Airflow's Slack provider."""
        return AirflowNotifier(
            "airflow.providers.slack.notifications.slack_webhook.SlackWebhookNotifier",
            {"slack_webhook_conn_id": self.connection, "text": message.text},
        )
