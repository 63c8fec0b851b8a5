"""Where a part of a text stands in a YAML file: in a block of several lines, in quotes, or folded."""

from dataclasses import replace

from yaml.nodes import ScalarNode

from factory.base.findings import Finding, KeyPath, Span
from factory.team.for_each import FilledText
from factory.team.problems import Problem, ReadFailed
from factory.team.source_text import read_text
from factory.team.yaml_tree import YamlTree, start_of

_BLOCKS = ("|", ">")
_ESCAPES = {"x": 4, "u": 6, "U": 10}
"""How long an escape in double quotes is, where it is longer than two characters."""


def problem_within(finding: Finding, span: Span, tree: YamlTree, path: KeyPath) -> Problem:
    """The problem that a finding about a part of a text is, at its line and column.

    Args:
        finding: What was found.
        span: The part of the text.
        tree: The YAML file that has the text, or names the file that has it.
        path: Where in it.
    """
    said = (finding.message, finding.suggestion)
    _, node = tree.nodes(path)
    if span.file is not None:
        return _in_file(finding, span, tree)
    if not isinstance(node, ScalarNode):
        return tree.problem(finding.name, path, *said)
    start = len(node.value) - len(node.value.lstrip()) + span.start
    places = _places(tree.source.text, node)
    place = places[min(start, len(places) - 1)]
    found = tree.source.problem_at(finding.name, place, *said)
    end = places[min(start + max(1, span.length), len(places)) - 1] + 1
    same_line = "\n" not in tree.source.text[place:end]
    return replace(found, length=max(1, end - place) if same_line else 1)


def _in_file(finding: Finding, span: Span, tree: YamlTree) -> Problem:
    assert span.file is not None  # noqa: S101 - the caller has looked
    try:
        source = read_text(span.file)
    except ReadFailed as failed:
        return failed.problems[0]
    found = source.problem_at(finding.name, span.start, finding.message, finding.suggestion)
    rest = found.source[found.column - 1 :]
    length = max(1, min(span.length, len(rest)))
    return replace(found, length=length, named_in=tree.source.file)


def _places(text: str, node: ScalarNode) -> list[int]:
    """For each character of a scalar's value, where it stands in the file, or what it was made of; counted from 0.

    YAML takes white space away, and puts some in place of line breaks. All other characters stand
    in the file in their order, each by itself or as an escape.
    """
    if isinstance(node, FilledText):
        written = _places(text, node.written)
        return [written[place] for place in node.origin] or written
    at: int = start_of(node).index
    if node.style in _BLOCKS:
        at = text.find("\n", at) + 1
    elif node.style:
        at += 1
    places = []
    for character in node.value:
        if not character.isspace():
            at = _after_white_space(text, at, node.style)
        places.append(min(at, len(text)))
        length = _length(text, at, node.style)
        if not character.isspace() or length > 1 or text[at : at + 1].isspace():
            at += length
    return places or [at]


def _after_white_space(text: str, at: int, style: str | None) -> int:
    while at < len(text) and (text[at].isspace() or (style == '"' and text[at : at + 2] == "\\\n")):
        at += 1 if text[at].isspace() else 2
    return at


def _length(text: str, at: int, style: str | None) -> int:
    """How many characters of the file are one character of the value."""
    if style == "'" and text[at : at + 2] == "''":
        return 2
    if style == '"' and text[at : at + 1] == "\\":
        return _ESCAPES.get(text[at + 1 : at + 2], 2)
    return 1
