"""Questions to code that is slow to import."""

import os
from pathlib import Path

import pytest

from factory.base import answers as module
from factory.base.answers import Reply, UnansweredError, answers

HERE = "tests.base.test_answers"


def double(number: int) -> Reply:
    """Say twice the number, and that it was asked."""
    print("not part of the answer")
    with Path(os.environ["ASKED"]).open("a") as file:
        file.write(f"{number}\n")
    return Reply(2 * number)


def length(path: str) -> Reply:
    """Say how long a file is."""
    return Reply(len(Path(path).read_text()), (path,))


def fail(_: int) -> Reply:
    """Fail."""
    raise ValueError("there is no such number")


@pytest.fixture(autouse=True)
def asked(tmp_path, monkeypatch):
    file = tmp_path / "asked"
    monkeypatch.setenv("ASKED", str(file))
    forget()
    return file


def forget():
    module._REMEMBERED.clear()


def test_answers_come_in_the_order_of_the_questions():
    assert answers([(f"{HERE}:double", n) for n in (3, 1, 2)], None) == [6, 2, 4]


def test_nothing_is_asked_twice_by_a_project(tmp_path, asked):
    kept = tmp_path / "cache" / "answers.json"
    assert answers([(f"{HERE}:double", 3)], kept) == [6]
    forget()
    assert answers([(f"{HERE}:double", 4), (f"{HERE}:double", 3)], kept) == [8, 6]
    assert asked.read_text() == "3\n4\n"


def test_it_is_asked_again_when_a_file_of_the_answer_has_changed(tmp_path):
    kept, file = tmp_path / "answers.json", tmp_path / "module.py"
    file.write_text("1")
    question = (f"{HERE}:length", str(file))
    assert answers([question], kept) == [1]
    file.write_text("12")
    assert answers([question], kept) == [2]


def test_it_is_asked_again_when_a_package_has_changed(tmp_path, monkeypatch, asked):
    kept = tmp_path / "answers.json"
    for version in ("1", "2"):
        monkeypatch.setattr(module, "_installed", lambda version=version: version)
        answers([(f"{HERE}:double", 3)], kept)
    assert asked.read_text() == "3\n3\n"


def test_a_file_of_answers_that_is_damaged_is_written_anew(tmp_path):
    kept = tmp_path / "answers.json"
    kept.write_text('{"a": 1}')
    assert answers([(f"{HERE}:double", 3)], kept) == [6]


def test_where_answers_cannot_be_kept_they_are_given_all_the_same(tmp_path):
    (tmp_path / "file").write_text("")
    assert answers([(f"{HERE}:double", 3)], tmp_path / "file" / "answers.json") == [6]


def test_who_fails_is_named_with_the_reason():
    with pytest.raises(UnansweredError, match=r"test_answers:fail failed: .*no such number"):
        answers([(f"{HERE}:fail", 1)], None)
