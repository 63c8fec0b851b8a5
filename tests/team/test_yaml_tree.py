"""YAML as values with positions, and what is refused on the way."""

from pathlib import Path

import pytest

from factory.team.problems import ReadFailed
from factory.team.source_text import SourceText
from factory.team.yaml_tree import YamlTree, parse


def tree(text: str) -> YamlTree:
    return parse(SourceText(Path("a.yaml"), text))


def messages(text: str) -> list[str]:
    try:
        problems = tree(text).problems
    except ReadFailed as failed:
        problems = failed.problems
    return [f"{problem.line}:{problem.column}: {problem.message}" for problem in problems]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("1e-3", 0.001),
        ("1.5e3", 1500.0),
        (".5", 0.5),
        ("-.inf", float("-inf")),
        ("1_000", 1000),
        ("0x1f", 31),
        ("0", 0),
        ("0.5", 0.5),
        ("-7", -7),
        ("True", True),
        ("~", None),
        ("", None),
        ("=", "="),
        ("y", "y"),
        ("'no'", "no"),
        ("1.2.3", "1.2.3"),
        ("!!str 7", "7"),
        ("!!float 7", 7.0),
        ("0 3 * * *", "0 3 * * *"),
    ],
)
def test_plain_values(written: str, value: object) -> None:
    found = tree(f"a: {written}")
    assert found.value == {"a": value}
    assert type(found.value["a"]) is type(value)
    assert found.problems == ()


@pytest.mark.parametrize(
    "written", ["yes", "No", "ON", "off", "010", "0o17", "-07", "12:30", "1:30:59.5"]
)
def test_values_that_readers_of_yaml_disagree_about_are_problems(written: str) -> None:
    assert messages(f"a: {written}") == [
        f"1:4: `{written}` means different things to different readers of YAML"
    ]


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("!!int seven", "`seven` is not a number"),
        ("!!bool maybe", "`maybe` is not true or false"),
        ("!!timestamp soon", "`soon` is not a date"),
        ("2024-13-01", "`2024-13-01` is not a date"),
        ("9223372036854775808", "the number 9223372036854775808 is too large"),
        ("9" * 5000, f"`{'9' * 37}...` is not a number"),
        ("!!python/name:os.system x", "the tag `!!python/name:os.system` is not allowed: it would run code"),
        ("!!binary aGk=", "the tag `!!binary` is not allowed"),
        ("!!set {a, b}", "the tag `!!set` is not allowed"),
        ("!!str [a]", "the tag `!!str` is not allowed"),
        ("!own x", "the tag `!own` is not allowed"),
    ],
)  # fmt: skip
def test_values_that_are_not_what_they_say(written: str, message: str) -> None:
    assert messages(f"a: {written}")[0] == f"1:4: {message}"


@pytest.mark.parametrize("key", ["1", "1.5", "null", "true", "2024-01-01", "!!int 7"])
def test_key_that_is_no_text_is_a_problem(key: str) -> None:
    assert "is no text but" in messages(f"{key}: x")[0]


def test_merge_keys_are_followed_and_own_keys_win() -> None:
    found = tree("a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc:\n  <<: [*a, *b]\n  z: 3\n")
    assert found.value["c"] == {"x": 1, "y": 1, "z": 3}
    assert [found.problem("unknown_key", ("c", key), "").place for key in "xyz"] == [
        "a.yaml:1:11",
        "a.yaml:1:17",
        "a.yaml:5:6",
    ]


def test_aliases_are_followed() -> None:
    assert tree("a: &a [1, 2]\nb: *a\n").value == {"a": [1, 2], "b": [1, 2]}


def test_alias_bomb_is_refused_quickly() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    found = messages("\n".join(lines))
    assert len(found) == 1
    assert "the file expands to more than 100,000 values" in found[0]


@pytest.mark.parametrize(
    "text",
    ["a: &a [*a]", "a: &a {b: *a}", "&a {a: *a}", "a: &a {<<: *a}", "a: &a [{<<: [*a]}]"],
)
def test_anchor_that_contains_itself_is_refused(text: str) -> None:
    found = messages(text)
    assert any("this anchor contains itself" in line or "takes a mapping" in line for line in found)


@pytest.mark.parametrize(("start", "end"), [("[", "]"), ("{a: ", "}"), ("- ", "")])
@pytest.mark.parametrize("count", [200, 900, 200_000])
def test_deep_nesting_is_refused(start: str, end: str, count: int) -> None:
    found = messages("a:\n " + start * count + "x" + end * count)
    assert len(found) == 1
    assert "mappings and lists are nested deeper than 100 levels here" in found[0]


@pytest.mark.parametrize("text", ["[", "{a: ", "? ", "? - "])
@pytest.mark.parametrize("count", [200, 900, 200_000])
def test_deep_nesting_that_is_never_closed_is_one_problem(text: str, count: int) -> None:
    assert len(messages("a:\n " + text * count)) == 1


def test_nesting_by_indentation_is_refused() -> None:
    text = "".join(f"{' ' * depth}a:\n" for depth in range(1000))
    assert messages(text) == ["101:101: mappings and lists are nested deeper than 100 levels here"]


def test_a_file_full_of_problems_is_given_up_after_a_hundred() -> None:
    found = messages("a:\n" + "  - no\n" * 10_000)
    assert len(found) == 101
    assert found[-1] == "102:5: 100 problems so far: the rest of the file is not read"


def test_problem_below_an_alias_is_reported_once() -> None:
    assert len(messages("a: &a [no]\nb: *a\nc: *a\n")) == 1


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "~\n", "null"])
def test_empty_files(text: str) -> None:
    assert messages(text)[0] in {
        "1:1: the file is empty",
        "1:1: the file must be a mapping, with lines such as `team: marine`",
    }


def test_path_of_every_key_leads_to_it() -> None:
    found = tree("a:\n  - b: 1\n    c: {d: 2}\n")
    paths = {path: key.start_mark.column + 1 for path, key in found.every_key()}
    assert paths == {("a",): 1, ("a", 0, "b"): 5, ("a", 0, "c"): 5, ("a", 0, "c", "d"): 9}
