"""How a problem is shown."""

from pathlib import Path

from factory.team.problems import Problem, ReadFailed
from factory.team.source_text import SourceText


def test_problem_shows_place_line_caret_and_suggestion() -> None:
    source = SourceText(Path("configs/marine.yaml"), "version: 1\nshedule: daily\n")
    problem = source.problem(
        "unknown_key", 2, 1, "unknown key `shedule`", "did you mean `schedule`?", 7
    )
    assert str(problem) == (
        "configs/marine.yaml:2:1: F020 unknown key `shedule`\n"
        "    2 | shedule: daily\n"
        "      | ^^^^^^^\n"
        "    did you mean `schedule`?"
    )


def test_caret_stays_below_its_character_after_tabs() -> None:
    assert (
        SourceText(Path("a"), "a:\t\tb").problem("unknown_key", 1, 5, "").snippet
        == "1 | a:\t\tb\n  |   \t\t^"
    )


def test_very_long_line_is_cut() -> None:
    source = SourceText(Path("a"), "x" * 10_000)
    assert len(source.problem("unknown_key", 1, 5, "").snippet) < 300
    assert source.problem("unknown_key", 1, 5000, "").snippet == ""


def test_problems_are_sorted_by_line_and_shown_once() -> None:
    first, second = (Problem(Path("a"), line, 1, "F020", "m") for line in (2, 10))
    assert ReadFailed([second, first, second]).problems == (first, second)


def test_secret_on_a_wrong_line_does_not_reach_the_problem() -> None:
    source = SourceText(Path("a"), "arguments: {password: hunter2, nmae: x}")
    assert "hunter2" not in str(source.problem("unknown_key", 1, 32, "unknown key `nmae`"))
