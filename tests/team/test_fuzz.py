"""No text, however broken, ends in a traceback, and every problem lies within its file."""

import random
import re
from collections.abc import Callable

import pytest

from factory.team.problems import Problem, ReadFailed
from tests.team.folder import MARINE, Folder

SNIPPETS = [
    *"\t\n\r:-?[]{}#&*!|>'\"%@`,~ \\",
    *("\r\n", "---\n", "...", "<<: ", "&a ", "*a", "!!python/name:os.system ", "!x ", "? ", "- "),
    *("__type__: x", "null", "no", "1e999", ".nan", "0x", "2024-02-30", "''", "[[[[", "{}: 1"),
    *("\u2028", "\x85", "\ufeff", "\U0001f427", "\x00", "\x7f", "é"),
    *("type: ", "check: ", "strategy: list", "any: [a]", "environments:\n  dev:\n    ", "{a: 1}"),
    *("9" * 30, "-1", "{linspace: [1, .inf, 3]}", "{randint: [a, b]}", "datasets: ", "a.b.c"),
]


def mutate(text: str, dice: random.Random) -> str:
    for _ in range(dice.randint(1, 5)):
        start = dice.randrange(len(text))
        end = min(len(text), start + dice.choice([0, 0, 1, 1, 3, 20]))
        inserted = dice.choice(["", dice.choice(SNIPPETS), text[dice.randrange(len(text)) :][:15]])
        text = (text[:start] + inserted + text[end:]) or "x"
    return text


def mutate_lines(text: str, dice: random.Random) -> str:
    lines = text.splitlines(keepends=True)
    for _ in range(dice.randint(1, 3)):
        line = dice.randrange(len(lines))
        change = dice.choice(["drop", "double", "indent", "outdent", "value", "swap"])
        if change == "drop":
            lines[line] = ""
        elif change == "double":
            lines[line] *= 2
        elif change == "indent":
            lines[line] = "  " + lines[line]
        elif change == "outdent":
            lines[line] = lines[line].lstrip()
        elif change == "value":
            lines[line] = lines[line].partition(":")[0] + f": {dice.choice(SNIPPETS)}\n"
        else:
            other = dice.randrange(len(lines))
            lines[line], lines[other] = lines[other], lines[line]
    return "".join(lines)


def problems_of(folder: Folder, content: bytes) -> tuple[Problem, ...]:
    (folder.configs / "marine.yaml").write_bytes(content)
    try:
        folder.read(environment="dev")
    except ReadFailed as failed:
        return failed.problems
    return ()


@pytest.mark.parametrize("change", [mutate, mutate_lines])
def test_broken_text_gives_problems_and_no_traceback(
    folder: Folder, change: Callable[[str, random.Random], str]
) -> None:
    dice = random.Random(20240101)
    refused = 0
    for _ in range(600):
        text = change(MARINE, dice)
        found = problems_of(folder, text.encode())
        refused += bool(found)
        lines = len(text.replace("\r", "\n").splitlines()) + 1
        for problem in found:
            assert 1 <= problem.line <= lines, (text, problem)
            assert problem.column >= 1
            assert not re.search("Input should|function-", str(problem)), (text, problem)
    assert refused > 200


def test_random_bytes_give_problems_and_no_traceback(folder: Folder) -> None:
    dice = random.Random(7)
    refused = 0
    for _ in range(200):
        content = bytearray(MARINE.encode())
        for _ in range(dice.randint(1, 4)):
            content[dice.randrange(len(content))] = dice.randrange(256)
        refused += bool(problems_of(folder, bytes(content)))
    assert refused > 100
