"""What is wrong with the schedules, dates, time zones and spans of time of DAGs in plain dag-factory format."""

import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any

from pydantic_core import PydanticCustomError

from factory.base.findings import Finding, KeyPath
from factory.base.texts import did_you_mean, one_of
from factory.team.schedule import PRESETS, known_zone, never_comes

TYPE = "__type__"
_COMBINED = ("__and__", "__or__")
TIMEDELTA = "{__type__: datetime.timedelta, seconds: 300}"
RELATIVE = re.compile(r"\s*\d+\s+(hour|minute|second|day)s?[\s,]*", re.IGNORECASE)
"""A date before today, as dag-factory reads it."""
_TIME_OF_DAY = re.compile(r"(\d{1,2})[:.h](\d\d)(?::\d\d)?")


def check_date(value: object, path: KeyPath) -> Iterator[Finding]:
    """That a value is no date; a date before today may be relative."""
    if value is None or isinstance(value, date) or (isinstance(value, dict) and TYPE in value):
        return
    if isinstance(value, str) and (RELATIVE.fullmatch(value) or _as_date(value) is not None):
        return
    message = f"{value!r} is not a date"
    yield Finding(
        "date", path, message, "write a date, such as 2024-01-31, or `2 days` for two days ago"
    )


def _as_date(value: object) -> datetime | None:
    """A date as dag-factory reads it, without its time zone; None where it is none, or relative."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=None)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)  # noqa: DTZ001 - compared with its like
    if not isinstance(value, str):
        return None
    try:
        return datetime.fromisoformat(value).replace(tzinfo=None)
    except ValueError:
        pass
    # Late: takes long to import, and few dates need it.
    import pendulum

    try:
        # A span of time is parsed too, and is no date.
        return datetime.fromisoformat(str(pendulum.parse(value))).replace(tzinfo=None)
    except ValueError:
        return None


def check_period(options: Mapping[str, Any]) -> Iterator[Finding]:
    """That options end before they start."""
    start, end = options.get("start_date"), options.get("end_date")
    first, last = _as_date(start), _as_date(end)
    if first is not None and last is not None and last < first:
        message = f"the end date {end} is before the start date {start}, so that it never runs"
        yield Finding("date", ("end_date",), message, "write a later date, or leave it out")


def check_timezone(value: object, path: KeyPath) -> Iterator[Finding]:
    """That a value is no time zone."""
    if not isinstance(value, str):
        if not (isinstance(value, dict) and TYPE in value):
            yield Finding("wrong_type", path, f"`timezone` must be text, not {value!r}")
        return
    try:
        known_zone(value)
    except PydanticCustomError as error:
        yield Finding("time_zone", path, error.message(), (error.context or {}).get("advice"))


def check_span(value: object, path: KeyPath, *, or_seconds: bool = False) -> Iterator[Finding]:
    """That a value is no span of time, and where that will do, no number of seconds."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if value is None or (isinstance(value, dict) and TYPE in value) or (or_seconds and is_number):
        if is_number and isinstance(value, int | float) and value < 0:
            yield Finding("time_span", path, f"`{path[-1]}` cannot be negative")
        return
    seconds = f", or a number of seconds{' without quotes' if isinstance(value, str) else ''}"
    message = f"{value!r} is not a span of time"
    advice = f"write {path[-1]}: {TIMEDELTA}{seconds if or_seconds else ''}"
    yield Finding("time_span", path, message, advice)


def check_schedule(value: object, path: KeyPath) -> Iterator[Finding]:
    """That a value is no schedule."""
    if isinstance(value, str):
        yield from _cron(value, path)
    elif isinstance(value, list):
        yield from _assets(value, path)
    elif isinstance(value, dict):
        yield from _scheduling_object(value, path)
    elif value is not None:
        message = f"{value!r} is not a schedule"
        yield Finding("schedule", path, message, 'write a cron expression, or "@daily"')


def _assets(value: list[Any], path: KeyPath) -> Iterator[Finding]:
    for index, asset in enumerate(value):
        is_asset = isinstance(asset, str) or (
            isinstance(asset, dict) and any(key in asset for key in (TYPE, *_COMBINED))
        )
        if not is_asset:
            message = f"{asset!r} is not an asset"
            advice = 'write its address, such as "s3://bucket/file.csv", or {__type__: airflow.sdk.Asset, …}'
            yield Finding("schedule", (*path, index), message, advice)


def _scheduling_object(value: Mapping[str, Any], path: KeyPath) -> Iterator[Finding]:
    if TYPE in value:
        return
    [*combined] = (key for key in _COMBINED if key in value)
    if len(combined) == 1 and len(value) == 1 and isinstance(value[combined[0]], list):
        for index, part in enumerate(value[combined[0]]):
            at = (*path, combined[0], index)
            if isinstance(part, dict):
                yield from _scheduling_object(part, at)
            else:
                message = f"{part!r} cannot be combined: it must be an asset"
                advice = "write {__type__: airflow.sdk.Asset, uri: …}"
                yield Finding("schedule", at, message, advice)
        return
    if "datasets" in value:
        message = "dag-factory has no `datasets` below `schedule` on Airflow 3"
        advice = (
            "write a list of addresses to wait for all of them, or "
            "{__or__: [{__type__: airflow.sdk.Asset, uri: …}, …]}"
        )
    else:
        message = "the mapping is not a schedule"
        advice = "write {__type__: datetime.timedelta, hours: 6}, {__and__: [asset, asset]}, or a cron expression"
    yield Finding("schedule", path, message, advice)


def _cron(value: str, path: KeyPath) -> Iterator[Finding]:
    text = value.strip()
    if text in PRESETS or text.lower() == "none":
        return
    if text.startswith("@"):
        message = f"{value!r} is not a preset"
        advice = did_you_mean(text, PRESETS, f"write one of {one_of(PRESETS)}")
        yield Finding("cron", path, message, advice)
        return
    if "://" in text:
        message = f"{value!r} is an address and no cron expression"
        yield Finding("schedule", path, message, f'write a list of assets: ["{text}"]')
        return
    # Late: takes long to import.
    from croniter import croniter

    if not croniter.is_valid(text):
        message = f"{value!r} is not a cron expression"
        time = _TIME_OF_DAY.fullmatch(text)
        advice = (
            f'each day at that time is "{int(time[2])} {int(time[1])} * * *"'
            if time
            else "write five fields, such as '30 2 * * 1-5' (minute hour day month weekday)"
        )
        yield Finding("cron", path, message, advice)
    elif never_comes(text):
        message = f"{value!r} names a day that never comes"
        yield Finding("cron", path, message, "correct its day or its month")
