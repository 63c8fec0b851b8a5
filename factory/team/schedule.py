"""`schedule`: when a DAG runs."""

import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from factory.base.rules import Broken, rule
from factory.base.section import ListOf, Reference, Section, also_written
from factory.base.texts import closest

PRESETS = (
    "@once",
    "@continuous",
    "@hourly",
    "@daily",
    "@weekly",
    "@monthly",
    "@quarterly",
    "@yearly",
)


def known_zone(name: str) -> str:
    """The name of a time zone, as it is.

    Raises:
        PydanticCustomError: There is none of this name.
    """
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

    try:
        # Only names: an offset such as +02:00 would be wrong for half of the year.
        if name != "UTC":
            ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        near = closest(name, available_timezones())
        raise PydanticCustomError(
            "time_zone",
            "{value} is no time zone",
            {
                "value": repr(name),
                "advice": f"did you mean `{near}`?"
                if near
                else "write one of the IANA's, such as Europe/Berlin",
            },
        ) from None
    return name


TimeZone = Annotated[str, AfterValidator(known_zone)]
"""The name of a time zone in the IANA's database, such as `Europe/Berlin`."""


class Schedule(Section):
    """When a DAG runs: at times, when datasets change, at either, or only by hand.

    Written as a cron expression or preset, `none`, a dataset's name, or a mapping:
    `{all: [a, b]}` waits for both, `{any: [a, b]}` for one of them, and
    `{any: [a], cron: "0 3 * * *"}` runs at both occasions.
    """

    cron: str | None = Field(default=None, examples=["30 2 * * 1-5", "@daily"])
    """Five fields (minute, hour, day, month, weekday), or a preset such as `@daily`."""
    timezone: TimeZone | None = Field(default=None, examples=["Europe/Berlin"])
    """The time zone of `cron`; that of `defaults` if left out. What falls into the hour that a change of the clock skips
    runs an hour later, and what falls into the hour that comes twice runs once."""
    all: ListOf[Reference] = Field(default=())
    """Datasets, and models of the team, that must all have changed since the last run."""
    any: ListOf[Reference] = Field(default=())
    """Datasets, and models of the team, of which one that has changed starts a run."""

    @rule
    def _one_condition(self) -> Broken:
        if self.all and self.any:
            yield PydanticCustomError(
                "schedule", "`all` and `any` exclude each other: keep one of them"
            )
        if self.timezone is not None and self.cron is None:
            yield PydanticCustomError(
                "schedule",
                "`timezone` is for `cron`, and there is none here",
                {"at": ("timezone",), "advice": "add `cron`, or take `timezone` away"},
            )
        if self.cron is not None:
            _check_cron(self.cron)

    @property
    def datasets(self) -> tuple[str, ...]:
        """The datasets that can start a run, as written."""
        return self.all or self.any

    @property
    def in_words(self) -> str:
        """When it runs, as the end of a sentence: `at 0 3 * * *`, `when catches has changed`, `by hand`."""
        parts = [_IN_WORDS.get(self.cron, f"at {self.cron}")] if self.cron else []
        if self.timezone:
            parts[0] += f" ({self.timezone})"
        if self.all:
            have = "have" if len(self.all) > 1 else "has"
            parts.append(f"when {' and '.join(self.all)} {have} changed")
        if self.any:
            parts.append(f"when {' or '.join(self.any)} has changed")
        return " or ".join(parts) or "by hand"


_IN_WORDS = {
    "@once": "once",
    "@continuous": "again and again",
    "@hourly": "every hour",
    "@daily": "every day at 0:00",
    "@weekly": "every Sunday at 0:00",
    "@monthly": "on the first of each month",
    "@quarterly": "on the first of each quarter",
    "@yearly": "on the first of January",
}


def never_comes(expression: str) -> bool:
    """Whether there is no such day as a cron expression names, such as February 30."""
    # Late: takes long to import.
    from croniter import CroniterBadDateError, croniter

    try:
        croniter(expression, 0.0).get_next()
    except CroniterBadDateError:
        return True
    return False


def _check_cron(expression: str) -> None:
    if expression in PRESETS:
        return
    if expression.startswith("@"):
        raise PydanticCustomError(
            "cron",
            "{value} is not a preset: write one of {presets}",
            {"value": repr(expression), "presets": ", ".join(PRESETS), "choices": PRESETS},
        )
    from croniter import croniter

    if len(expression.split()) != 5 or not croniter.is_valid(expression):
        raise PydanticCustomError(
            "cron",
            "{value} is not a cron expression: write five fields, such as '30 2 * * 1-5' "
            "(minute hour day month weekday)",
            {"value": repr(expression), "advice": _meant_cron(expression)},
        )
    if never_comes(expression):
        raise PydanticCustomError(
            "cron", "{value} names a day that never comes", {"value": repr(expression)}
        )


_FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day", 1, 31), ("month", 1, 12), ("weekday", 0, 7))
_EVERY = re.compile(r"every\s+(?:(\d+)\s+)?(minute|hour|day|week|month)s?", re.IGNORECASE)


def _meant_cron(expression: str) -> str | None:
    """What to write in place of what is nearly a cron expression."""
    fields = expression.split()
    if len(fields) == 6:
        return f'take the field of seconds away: "{" ".join(fields[1:])}"'
    if match := _EVERY.fullmatch(expression.strip()):
        number, unit = match[1], match[2].lower()
        preset = {"day": "@daily", "week": "@weekly", "month": "@monthly", "hour": "@hourly"}
        if number in (None, "1"):
            return f'write "{preset.get(unit, "* * * * *")}"'
        every = {"minute": f"*/{number} * * * *", "hour": f"0 */{number} * * *"}
        return f'write "{every[unit]}"' if unit in every else None
    for text, (name, lowest, highest) in zip(fields, _FIELDS, strict=False):
        numbers = [int(number) for number in re.findall(r"(?<![/\w])\d+", text)]
        wrong = next((number for number in numbers if not lowest <= number <= highest), None)
        if wrong is not None:
            return f"{wrong} is no {name}: write {lowest} to {highest}"
    return None


_TIME = re.compile(r"(\d{1,2})[:.h](\d\d)(?::\d\d)?\s*(am|pm)?", re.IGNORECASE)


def _read_schedule(value: object) -> object:
    if isinstance(value, str) and (match := _TIME.fullmatch(value.strip())):
        hour = int(match[1]) % 12 + 12 * (match[3].lower() == "pm") if match[3] else int(match[1])
        raise PydanticCustomError(
            "schedule",
            "{value} is a time and no schedule",
            {
                "value": repr(value),
                "advice": f'each day at that time is "{int(match[2])} {hour} * * *"',
            },
        )
    if value is None or (isinstance(value, str) and value.strip().lower() == "none"):
        return {}
    if isinstance(value, str):
        text = value.strip()
        is_time = text.startswith("@") or " " in text or "*" in text
        return {"cron": text} if is_time else {"any": [text]}
    if isinstance(value, (dict, Schedule)):
        return value
    raise PydanticCustomError(
        "schedule",
        "{value} is not a schedule: write a cron expression, a preset such as '@daily', `none`, "
        "a dataset's name, or {all: [...]} or {any: [...]}",
        {"value": repr(value)},
    )


def _read_inputs(value: object) -> object:
    if isinstance(value, str):
        return {"all": [value]}
    if isinstance(value, (dict, Inputs)):
        return value
    raise PydanticCustomError(
        "inputs", "write a dataset's name, {all: [...]} to wait for each or {any: [...]} for one"
    )


class Inputs(Section):
    """`train_on`: the datasets that a model reads, and whether one or all must change.

    Written as a dataset's name, `{all: [a, b]}` or `{any: [a, b]}`. Within the model's
    transforms, the first is `source` and every one is a table `team.dataset`.
    """

    all: ListOf[Reference] = Field(default=())
    """The datasets; without a schedule, a training waits until each of them has changed."""
    any: ListOf[Reference] = Field(default=())
    """The datasets; without a schedule, a training starts when one of them has changed."""

    @rule
    def _one_condition(self) -> Broken:
        if bool(self.all) == bool(self.any):
            yield PydanticCustomError(
                "inputs", "write a dataset's name, {all: [...]} or {any: [...]}"
            )

    @property
    def datasets(self) -> tuple[str, ...]:
        """The datasets that are read, as written."""
        return self.all or self.any


ScheduleField = Annotated[
    Schedule, BeforeValidator(_read_schedule), also_written({"type": ["string", "null"]})
]
InputsField = Annotated[Inputs, BeforeValidator(_read_inputs), also_written({"type": "string"})]
