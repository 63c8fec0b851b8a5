"""Notifiers that tests name by dotted path."""

from typing import Any, ClassVar

from airflow.sdk import BaseNotifier


class Collecting(BaseNotifier):
    """Keeps what it was given, its templates rendered."""

    template_fields = ("text",)
    seen: ClassVar[list[str]] = []

    def __init__(self, *, text: str, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.text = text

    def notify(self, context: Any) -> None:
        self.seen.append(self.text)


class Failing(BaseNotifier):
    """Never delivers."""

    def notify(self, context: Any) -> None:
        raise ConnectionError("nobody there")


class Hanging(BaseNotifier):
    """Comes to no end."""

    def notify(self, context: Any) -> None:
        import threading

        threading.Event().wait()
