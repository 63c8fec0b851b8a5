"""Both of PyYAML's parsers complain in words of their own; people read ours."""

from pathlib import Path

import pytest
import yaml

from factory.team import yaml_tree
from factory.team.problems import Problem, ReadFailed
from factory.team.source_text import SourceText
from factory.team.yaml_scalars import Loader


class PythonLoader(yaml.SafeLoader):
    """The reader's loader where PyYAML has no libyaml."""

    yaml_implicit_resolvers = Loader.yaml_implicit_resolvers


@pytest.fixture(params=[Loader, PythonLoader], ids=["installed", "in Python"])
def _parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_tree, "Loader", request.param)


def problem_of(text: str) -> Problem:
    with pytest.raises(ReadFailed) as failed:
        yaml_tree.compose(SourceText(Path("a.yaml"), text))
    (problem,) = failed.value.problems
    return problem


@pytest.mark.usefixtures("_parser")
@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a: b: c\n", 1, "`: ` within a text starts a mapping in YAML"),
        ("a: - b\n", 1, "a list's `-` is not expected here"),
        ("a: 1\nb\nc: 2\n", 3, "a key without `:` after it (at 2:1)"),
        ("a: [1, 2\nb: 3\n", 1, "the list that opens at 1:4 is not closed"),
        ("a: {b: 1\nc: 2\n", 1, "the mapping that opens at 1:4 is not closed"),
        ("a:\n  - b\n  c: d\n", 3, "this line does not belong to the list that starts at 2:3"),
        ("a:\n   b: 1\n  c: 2\n", 3, "this does not fit the mapping that starts at 1:1"),
        ("a: 'b' c\n", 1, "this does not fit the mapping that starts at 1:1"),
        ("a: 'b\nc: 1\n", 1, "the quote that opens at 1:4 is not closed"),
        ("a: 'b\n---\nc: 1\n", 1, "the quote that opens at 1:4 is not closed"),
        ("a: [,]\n", 1, "a value is expected here"),
        ("'a'\nb: 1\n", 2, "this does not fit what stands above it"),
        ("a: & b\n", 1, "`&` and `*` name an anchor in YAML, and here no name follows"),
        ("a: **.csv\n", 1, "a value that starts with `*` is an alias to YAML"),
        ("a: ? b\n", 1, "a `?` is not expected here"),
        ("a: |x\n", 1, "the text after `|` or `>` starts on the next line"),
        ("a: > text\n", 1, "the text after `|` or `>` starts on the next line"),
        ("a: *nope\n", 1, "this alias (`*`) names no anchor"),
        ("a: &x 1\nb: &x 2\n", 2, "this anchor's name is taken, first at 1:4"),
        ("a: 1\n---\nb: 2\n", 2, "a second YAML document starts here"),
        (
            'a: "\\d"\n',
            1,
            "a backslash in double quotes starts an escape that YAML does not know",
        ),
        ("a: !x!y 1\n", 1, "a value that starts with `!` is a tag to YAML, and none is allowed"),
        ("%YAML 3.0\n---\na: 1\n", 1, "this version of YAML is not supported"),
        ("a: @b\n", 1, "a value cannot start with `@`"),
        ("a:\n\t b: 1\n", 2, "a tab stands here"),
        ("a: \x01\n", 1, "a character that does not belong into text: U+0001"),
    ],
)
def test_what_either_parser_complains_about_is_said_in_plain_words(text, line, message):
    problem = problem_of(text)
    assert (problem.line, problem.message) == (line, message)


@pytest.mark.usefixtures("_parser")
@pytest.mark.parametrize(
    ("text", "column"), [("a:\n " + "[" * 2000 + "]" * 2000, 101), ("{a: " * 1500, 401)]
)
def test_what_is_nested_deeper_than_a_parser_goes_is_shown_where_it_gets_too_deep(text, column):
    problem = problem_of(text)
    assert problem.message == "mappings and lists are nested deeper than 100 levels here"
    assert problem.column == column
