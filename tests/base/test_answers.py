"""Questions to code that is slow to import."""

import importlib
import os
import re
from pathlib import Path

import pytest

from factory.base import answers as module
from factory.base.answers import Reply, UnansweredError, answers, forget

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


def process(_: int) -> Reply:
    """Say which process answers."""
    return Reply(os.getpid())


def imported(path: str) -> Reply:
    """Say what a module has."""
    return Reply(importlib.import_module(Path(path).stem).ANSWER, (path,))


def fail(_: int) -> Reply:
    """Fail."""
    raise ValueError("there is no such number")


@pytest.fixture(autouse=True)
def asked(tmp_path, monkeypatch):
    file = tmp_path / "asked"
    monkeypatch.setenv("ASKED", str(file))
    forget()
    return file


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


def test_who_fails_is_named_with_the_reason_and_others_answer():
    found = answers([(f"{HERE}:fail", 1), (f"{HERE}:double", 3)], None)
    assert isinstance(found[0], UnansweredError)
    assert re.search(r"test_answers:fail failed: .*no such number", str(found[0]))
    assert found[1] == 6


def test_who_failed_is_asked_again(tmp_path):
    for _ in range(2):
        [found] = answers([(f"{HERE}:fail", 1)], tmp_path / "answers.json")
        assert "no such number" in str(found)


def test_one_process_answers_all_rounds():
    first, second = ([*answers([(f"{HERE}:process", n)], None)] for n in (1, 2))
    assert first == second
    assert first != [os.getpid()]


def test_what_was_imported_is_imported_again_when_it_has_changed(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    module = tmp_path / "of_the_team.py"
    module.write_text("ANSWER = 1\n")
    assert answers([(f"{HERE}:imported", str(module))], None) == [1]
    module.write_text("ANSWER = 22\n")
    assert answers([(f"{HERE}:imported", str(module))], None) == [22]


def test_nothing_is_imported_from_the_folder_where_it_is_called(tmp_path, monkeypatch):
    (tmp_path / "typing.py").write_text("raise SystemExit('code of the folder')")
    monkeypatch.chdir(tmp_path)
    assert answers([(f"{HERE}:double", 3)], None) == [6]
