"""`{type: json_lines}`."""

import json
from pathlib import Path
from typing import Literal

from factory.base.section import Text
from factory.notifiers.message import Message
from factory.notifiers.notifier import Notifier


class JsonLinesNotifier(Notifier):
    """A line of JSON at the end of a file, for a program that follows it."""

    type: Literal["json_lines"]
    path: Text
    """The file, on the machine that sends the message."""

    def send(self, message: Message) -> None:
        """Append the message."""
        file = Path(self.path)
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(message.as_json()) + "\n")
