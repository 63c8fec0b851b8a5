"""What YAML's parsers complain about, in words for people who do not know its grammar.

PyYAML has two: libyaml's, and one in Python where libyaml is missing. They complain in different words.
"""

import re

import yaml
from yaml.error import Mark

from factory.team.problems import Problem
from factory.team.source_text import SourceText
from factory.team.yaml_traps import find_trap

_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_TABS = "use spaces: YAML does not allow tabs here"

# The code's name; what a parser says while doing what -> what we say; libyaml's words first. `{context}` is where the
# construct began.
_PLAIN_WORDS = (
    (
        "indentation",
        "mapping values are not allowed",
        "a `:` is not expected here",
        "check the indentation of this line and the one above; text that contains `: ` needs quotes",
    ),
    (
        "not_yaml",
        "sequence entries are not allowed",
        "a list's `-` is not expected here",
        "start the list on a line of its own, or write it as [a, b]",
    ),
    (
        "not_yaml",
        "could not find expected ':'",
        "a key without `:` after it (at {context})",
        "write `key: value`, and indent what continues the line above",
    ),
    (
        "unclosed",
        "expected ',' or ']'",
        "the list that opens at {context} is not closed",
        "write a comma between items and `]` after the last",
    ),
    (
        "unclosed",
        "expected ',' or '}'",
        "the mapping that opens at {context} is not closed",
        "write a comma between entries and `}` after the last",
    ),
    (
        "indentation",
        "did not find expected '-' indicator|block collection: expected <block end>",
        "this line does not belong to the list that starts at {context}",
        "check its indentation, or start it with `- `",
    ),
    (
        "indentation",
        "did not find expected key|block mapping: expected <block end>",
        "this does not fit the mapping that starts at {context}",
        "check the indentation; text with quotes or brackets inside needs quotes around all of it",
    ),
    (
        "unclosed",
        "unexpected end of stream",
        "the quote that opens at {context} is not closed",
        "close it, or take it away",
    ),
    (
        "unclosed",
        "unexpected document (indicator|separator)",
        "the quote that opens at {context} is not closed",
        "close it, or take it away",
    ),
    (
        "not_yaml",
        "did not find expected node content|expected the node content",
        "a value is expected here",
        "check the brackets, braces and commas around it",
    ),
    (
        "indentation",
        "expected '?<document start>",
        "this does not fit what stands above it",
        "check the indentation, and that every line above is `key: value` or `- item`",
    ),
    (
        "needs_quotes",
        "expected alphabetic or numeric character",
        "`&` and `*` name an anchor in YAML, and here no name follows",
        "put the value in quotes",
    ),
    (
        "needs_quotes",
        "mapping keys are not allowed",
        "a `?` is not expected here",
        "put the value in quotes",
    ),
    (
        "not_yaml",
        "did not find expected comment or line break|expected (a comment or a line break|chomping)",
        "the text after `|` or `>` starts on the next line",
        "move it there, and indent it; or put the value in quotes",
    ),
    (
        "anchor",
        "undefined alias",
        "this alias (`*`) names no anchor",
        "an anchor (`&name`) must stand above; for text that starts with `*`, use quotes",
    ),
    (
        "anchor",
        "second occurrence",
        "this anchor's name is taken, first at {context}",
        "give every anchor (`&name`) a name of its own",
    ),
    (
        "anchor",
        "but found another document",
        "a second YAML document starts here",
        "remove the line `---`: one file describes one team",
    ),
    (
        "needs_quotes",
        "unknown escape character",
        "a backslash in double quotes starts an escape that YAML does not know",
        "use single quotes, or double the backslash",
    ),
    (
        "tag",
        "undefined tag handle",
        "a value that starts with `!` is a tag to YAML, and none is allowed",
        "put the value in quotes",
    ),
    (
        "anchor",
        "found incompatible YAML document",
        "this version of YAML is not supported",
        "remove the line",
    ),
)


def explain_yaml_error(error: yaml.YAMLError, source: SourceText) -> Problem:
    """The problem behind an error of YAML's parser."""
    if isinstance(error, yaml.reader.ReaderError):
        return _unprintable(source, error)
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is None:
        return source.problem("not_yaml", 1, 1, f"this is not YAML: {error}")
    tab = _tab_before(source.line(mark.line + 1), mark)
    if tab is not None:
        return source.problem("white_space", mark.line + 1, tab + 1, "a tab stands here", _TABS)
    context = getattr(error, "context_mark", None)
    lines = [place.line + 1 for place in (mark, context) if place is not None]
    if trap := find_trap(source, max(1, min(lines) - 1), max(lines), at=mark.line + 1):
        return trap
    found = str(getattr(error, "problem", None) or error)
    if "cannot start any token" in found:
        return _bad_start(source, mark)
    name, message, suggestion = _in_plain_words(getattr(error, "context", None), found, context)
    # Where something ought to be closed is anyone's guess: what is open is shown.
    is_left_open = context is not None and "is not closed" in message and context.line != mark.line
    for place in (context, mark) if is_left_open else (mark, context):
        if place is not None and source.line(place.line + 1).strip():
            return source.problem(name, place.line + 1, place.column + 1, message, suggestion)
    return source.problem_at(name, max(0, len(source.text.rstrip()) - 1), message, suggestion)


def is_too_deep(error: yaml.YAMLError) -> bool:
    """Whether libyaml gave up because of its own limit on nesting, which it has since 0.2.6."""
    return "maximum nesting depth" in str(getattr(error, "problem", None))


def _in_plain_words(
    doing: str | None, found: str, begun: Mark | None
) -> tuple[str, str, str | None]:
    for name, pattern, message, suggestion in _PLAIN_WORDS:
        if re.search(pattern, f"{doing}: {found}"):
            start = f"{begun.line + 1}:{begun.column + 1}" if begun else "the start"
            return name, message.replace("{context}", start), suggestion
    return "not_yaml", f"this is not YAML: {found}", None


def _unprintable(source: SourceText, error: yaml.reader.ReaderError) -> Problem:
    match = _UNPRINTABLE.search(source.text)
    if match is None:
        return source.problem("strange_character", 1, 1, f"this is not text: {error.reason}")
    message = f"a character that does not belong into text: U+{ord(match[0]):04X}"
    return source.problem_at("strange_character", match.start(), message, "remove it")


def _tab_before(line: str, mark: Mark) -> int | None:
    """The column of a tab in the indentation of the line, or at the place itself."""
    indent = line[: len(line) - len(line.lstrip(" \t"))]
    if "\t" in indent:
        return indent.index("\t")
    return int(mark.column) if line[mark.column : mark.column + 1] == "\t" else None


def _bad_start(source: SourceText, mark: Mark) -> Problem:
    line = source.line(mark.line + 1)
    character = line[mark.column : mark.column + 1]
    value = line[mark.column :].split(" #")[0].rstrip()
    return source.problem(
        "needs_quotes",
        mark.line + 1,
        mark.column + 1,
        f"a value cannot start with `{character}`",
        f'put it in quotes: "{value}"',
        len(value),
    )
