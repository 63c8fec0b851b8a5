"""Schedules in a time zone, as Airflow runs them when the clock changes."""

from datetime import UTC, datetime

import pytest

from tests.team.folder import MARINE, make_folder

SOURCE = "source: {type: csv, path: data/a.csv}"


@pytest.fixture
def timetable(tmp_path):
    """How Airflow schedules a dataset, of what stands below it and in `defaults`."""
    from factory.airflow.build import build
    from factory.documents.compile import compile_one
    from factory.documents.installation import Installation

    folder = make_folder(tmp_path)

    def of(schedule, defaults=""):
        head = MARINE.partition("datasets:")[0]
        text = f"{head}defaults: {{{defaults}}}\ndatasets:\n  b: {{{SOURCE}}}\n"
        folder.write("marine", f"{text}  a:\n    schedule: {schedule}\n    {SOURCE}\n")
        installation = Installation("file:///lake", "/scratch", tmp_path)
        document = compile_one(folder.read().team, "marine.a", installation)
        return build("marine.a", document).timetable

    return of


def starts(timetable, day, count=4):
    """The first starts of a schedule by times from a day on, as Airflow's scheduler computes them."""
    from airflow.serialization.decoders import decode_timetable
    from airflow.serialization.encoders import encode_timetable
    from airflow.timetables.base import TimeRestriction
    from pendulum import instance

    known = decode_timetable(encode_timetable(timetable))
    earliest = TimeRestriction(
        instance(datetime.fromisoformat(day).replace(tzinfo=UTC)), None, True
    )
    found, last = [], None
    for _ in range(count):
        info = known.next_dagrun_info(last_automated_data_interval=last, restriction=earliest)
        found.append(info.run_after.in_timezone("Europe/Berlin").strftime("%d. %H:%M"))
        last = info.data_interval
    return found


ZONE = "timezone: Europe/Berlin"


@pytest.mark.parametrize(
    ("schedule", "defaults"),
    [
        ("'30 2 * * *'", ZONE),
        (f"{{cron: '30 2 * * *', {ZONE}}}", ""),
        (f"{{cron: '30 2 * * *', {ZONE}}}", "timezone: Asia/Tokyo"),
        (f"{{cron: '30 2 * * *', any: [b], {ZONE}}}", ""),
        ("{cron: '30 2 * * *', any: [b]}", ZONE),
    ],
)
def test_each_day_has_one_run_when_the_clock_changes(timetable, schedule, defaults):
    found = timetable(schedule, defaults)
    found = getattr(found, "timetable", found)
    assert starts(found, "2024-03-30") == ["30. 02:30", "31. 03:30", "01. 02:30", "02. 02:30"]
    assert starts(found, "2024-10-26") == ["26. 02:30", "27. 02:30", "28. 02:30", "29. 02:30"]


def test_times_are_utc_unless_a_zone_is_written(timetable):
    assert starts(timetable("'@daily'"), "2024-07-01", 1) == ["01. 02:00"]
