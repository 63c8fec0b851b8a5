"""`maintenance` in `_defaults.yaml`: what is taken away by itself, and when."""

from pydantic import field_validator
from pydantic_core import PydanticCustomError

from factory.base.section import Seconds, Section
from factory.team.schedule import Schedule, ScheduleField


class Maintenance(Section):
    """A DAG `maintenance` that takes away what killed runs have left over; there is none unless this is written."""

    schedule: ScheduleField = Schedule.unwritten(cron="@daily")
    """When it runs: at times, not when datasets change."""
    grace: Seconds = 24 * 60 * 60
    """What has changed within this time is not touched."""
    keep_logs: Seconds = 30 * 24 * 60 * 60
    """How long tasks' logs are kept."""

    @field_validator("schedule")
    @classmethod
    def _at_times(cls, value: Schedule) -> Schedule:
        if value.datasets:
            raise PydanticCustomError(
                "schedule",
                "maintenance runs at times: write a cron expression or a preset such as '@daily'",
            )
        return value
