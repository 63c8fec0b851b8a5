"""Dates as people write them."""

from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta

from factory.base.errors import TerminalError


def parse_time(text: str) -> tuple[datetime, datetime]:
    """The span of time that a person means: a whole day, or a moment; in UTC unless it has a zone.

    Raises:
        TerminalError: It is neither.
    """
    with suppress(ValueError):
        day = datetime.combine(date.fromisoformat(text), time(), UTC)
        return day, day + timedelta(days=1)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise TerminalError(
            f"{text!r} is no date: write 2026-11-20, or 2026-11-20T15:30 for a moment (UTC)"
        ) from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return moment, moment
