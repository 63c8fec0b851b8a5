"""`{type: log}`."""

import logging
from typing import Literal

from factory.notifiers.message import Message
from factory.notifiers.notifier import Notifier

_log = logging.getLogger(__name__)


class LogNotifier(Notifier):
    """A line in the log of the process that sends it."""

    type: Literal["log"]

    def send(self, message: Message) -> None:
        """Write the message into the log."""
        _log.warning("%s", message.text)
