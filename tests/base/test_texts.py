"""Lists and suggestions."""

import pytest

from factory.base.texts import closest, did_you_mean, either, hint, one_of


def test_suggestions_ignore_case_and_distance_too_far() -> None:
    assert closest("SCHEDULE", ["schedule", "source"]) == "schedule"
    assert closest("xyz", ["schedule", "source"]) is None
    assert did_you_mean("xyz", ["schedule"], "write schedule") == "write schedule"
    assert hint("shedule", ["schedule"]) == " (did you mean `schedule`?)"
    assert hint("xyz", ["schedule"]) == ""


@pytest.mark.parametrize(
    ("choices", "listed", "alternatives"),
    [([], "", ""), (["a"], "a", "a"), (["a", "b", "c"], "a, b, c", "a, b or c")],
)
def test_choices_are_listed(choices: list[str], listed: str, alternatives: str) -> None:
    assert one_of(choices) == listed
    assert either(choices) == alternatives
