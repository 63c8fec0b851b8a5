"""What people are told of: events, and the message about one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Event = Literal["on_failure", "on_promotion", "on_kept_champion", "on_breach", "on_dataset"]


@dataclass(frozen=True)
class Message:
    """What is to be said of an event."""

    event: Event
    subject: str
    """One line."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """What a person wants to know, by its name, in this order."""
    detail: str = ""
    """Text of several lines, such as an error or a table."""
    url: str | None = None
    """Where to look further."""

    @property
    def text(self) -> str:
        """The whole message as plain text."""
        lines = [self.subject, *(f"{name}: {value}" for name, value in self.facts.items())]
        if self.detail:
            lines += ["", self.detail]
        if self.url:
            lines += ["", self.url]
        return "\n".join(lines)

    @property
    def html(self) -> str:
        """The whole message as HTML."""
        from html import escape

        rows = "".join(
            f"<tr><th align='left'>{escape(name)}</th><td>{escape(value)}</td></tr>"
            for name, value in self.facts.items()
        )
        detail = f"<pre>{escape(self.detail)}</pre>" if self.detail else ""
        link = f"<p><a href='{escape(self.url)}'>{escape(self.url)}</a></p>" if self.url else ""
        return f"<h3>{escape(self.subject)}</h3><table>{rows}</table>{detail}{link}"

    def as_json(self) -> dict[str, Any]:
        """The whole message as a JSON object."""
        return {
            "event": self.event,
            "subject": self.subject,
            "facts": dict(self.facts),
            "detail": self.detail,
            "url": self.url,
        }
