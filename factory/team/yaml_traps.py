"""Classical traps of YAML: what people write, what YAML makes of it, and what to write instead.

Some end in an error of the parser, of which its words tell nothing; others are valid YAML that nobody
means.
"""

import re
from collections.abc import Iterator

from yaml.nodes import MappingNode, Node, ScalarNode

from factory.base.texts import shortened
from factory.team.problems import Problem
from factory.team.source_text import SourceText

_LONGEST = 80
"""Characters of a text that are shown."""
_MAPPING = "tag:yaml.org,2002:map"
_SPACES = "\u00a0\u1680\u2000-\u200d\u202f\u205f\u2060\u3000\ufeff"
_STRANGE_SPACE = re.compile(f"[{_SPACES}]")
_TYPOGRAPHIC = "\u201c\u201d\u201e\u201f\u2018\u2019\u201a\u201b\u00ab\u00bb"
_QUOTED = re.compile(f"^[{_TYPOGRAPHIC}].*|.*[{_TYPOGRAPHIC}]$")
_STRANGE_COLON = re.compile(r"^\s*(?:- )?[\w.-]+\s*(?P<wrong>[\uff1a\ufe55\u2236])")
_START = r"^(?P<before>\s*(?:- +)*(?:[\w.@-]+:\s+)?(?:- +)*)"
_TEMPLATE = re.compile(rf"{_START}(?P<wrong>\{{[{{%].*)")
_STAR = re.compile(rf"{_START}(?P<wrong>\*(?:[\s/*].*|$))")
_NO_SPACE_AFTER_DASH = re.compile(
    r"^(?P<before>\s*)(?P<wrong>-(?:[A-Za-z_]\w*:(?:\s|$)|[{\[\"']).*)"
)
_NO_SPACE_AFTER_COLON = re.compile(
    r"^(?P<before>\s*(?:- +)*)(?P<wrong>(?P<key>[A-Za-z_]\w*):(?P<value>(?!//)[^\s:].*))$"
)
_EQUALS = re.compile(
    r"^(?P<before>\s*(?:- +)*)(?P<wrong>(?P<key>[A-Za-z_]\w*) *= *(?P<value>[^=>].*))$"
)
_VALUE_WITHIN_BRACKETS = re.compile(
    r"""^(?:[^"'\[{]|\$\{)*[\[{](?:[^"']|"[^"]*"|'[^']*')*?"""
    r"""(?P<wrong>[^\s,\[\]{}"']*\$\{[a-z]\w*\}[^\s,\[\]{}"']*)"""
)
_NO_COLON = re.compile(r"^\s*(?P<wrong>[A-Za-z_]\w*)\s*(?:#.*)?$")
_COLON_IN_TEXT = re.compile(
    r"^(?P<before>\s*(?:- +)*[\w.-]+: +)(?P<wrong>(?![\"'|>{\[&*!]).*:(?: .*|))$"
)


def find_trap(source: SourceText, first: int, last: int, *, at: int) -> Problem | None:
    """The trap behind an error of the parser, which shows itself in one of some lines.

    Args:
        source: The text.
        first: The first line that may be to blame.
        last: The last one.
        at: The line that the parser shows, which is looked at first.
    """
    for number in dict.fromkeys((at, at - 1, *range(last, first - 1, -1))):
        if number >= 1 and (found := _in_line(source, number)):
            return found
    line = source.line(at)
    above = source.line(number := _line_above(source, at))
    if _indent(line) > _indent(above) and (match := _NO_COLON.match(above)):
        word = match["wrong"]
        message = f"a `:` is missing after `{word}`"
        column = match.start("wrong") + 1
        return source.problem("not_yaml", number, column, message, f"write `{word}:`", len(word))
    if match := _COLON_IN_TEXT.match(_without_comment(line)):
        value = match["wrong"].strip()
        message = "`: ` within a text starts a mapping in YAML"
        suggestion = f"put the text in quotes: {_in_quotes(value)}"
        column = match.start("wrong") + 1
        return source.problem("needs_quotes", at, column, message, suggestion, len(value))
    return None


def _line_above(source: SourceText, number: int) -> int:
    """The last line above that has something in it; 0 where there is none."""
    above = number - 1
    while above > 0 and not _without_comment(source.line(above)).strip():
        above -= 1
    return above


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _in_line(source: SourceText, number: int) -> Problem | None:
    line = _without_comment(source.line(number))
    for pattern, explain in (
        (_STRANGE_COLON, _strange_colon),
        (_TEMPLATE, _template),
        (_STAR, _star),
        (_NO_SPACE_AFTER_DASH, _no_space_after_dash),
        (_NO_SPACE_AFTER_COLON, _no_space_after_colon),
        (_EQUALS, _equals),
        (_VALUE_WITHIN_BRACKETS, _value_within_brackets),
    ):
        if match := pattern.match(line):
            name, message, suggestion = explain(match)
            wrong = match["wrong"].rstrip()
            column = match.start("wrong") + 1
            return source.problem(name, number, column, message, suggestion, len(wrong))
    indent = line[: len(line) - len(line.lstrip())]
    if match := _STRANGE_SPACE.search(indent) or re.search(f"[:-][{_SPACES}]", line):
        offset = match.end() - 1
        return source.problem(
            "white_space", number, offset + 1, *_strange_space(line[offset]), length=1
        )
    return None


def _template(match: re.Match[str]) -> tuple[str, str, str]:
    value = match["wrong"].strip()
    message = f"`{value[:2]}` starts a mapping in YAML, not a template"
    return "needs_quotes", message, f"put the whole value in quotes: {_in_quotes(value)}"


def _star(match: re.Match[str]) -> tuple[str, str, str]:
    value = match["wrong"].strip()
    message = "a value that starts with `*` is an alias to YAML"
    return "needs_quotes", message, f"put it in quotes: {_in_quotes(value)}"


def _no_space_after_dash(match: re.Match[str]) -> tuple[str, str, str]:
    item = match["wrong"][1:].strip()
    return "missing_space", "a space is missing after `-`", f"write `- {shortened(item, _LONGEST)}`"


def _no_space_after_colon(match: re.Match[str]) -> tuple[str, str, str]:
    written = f"write `{match['key']}: {shortened(match['value'].strip(), _LONGEST)}`"
    return "missing_space", f"a space is missing after `{match['key']}:`", written


def _equals(match: re.Match[str]) -> tuple[str, str, str]:
    written = f"write `{match['key']}: {shortened(match['value'].strip(), _LONGEST)}`"
    return "not_yaml", "`=` does not give a value in YAML; `:` does", written


def _value_within_brackets(match: re.Match[str]) -> tuple[str, str, str]:
    message = "the braces of `${…}` end what stands around them, within brackets or braces"
    return "needs_quotes", message, f"put it in quotes: {_in_quotes(match['wrong'])}"


def _strange_colon(match: re.Match[str]) -> tuple[str, str, str]:
    message = f"this colon (U+{ord(match['wrong']):04X}) is a letter to YAML"
    return "strange_character", message, "write a plain `:`, and a space after it"


def _strange_space(character: str) -> tuple[str, str]:
    names = {"\u00a0": "a no-break space", "\u200b": "a zero-width space"}
    what = names.get(character, "a special space")
    message = f"{what} (U+{ord(character):04X}) stands here, which YAML takes for a letter"
    return message, "write a plain space in its place"


def traps(source: SourceText, root: MappingNode) -> Iterator[Problem]:
    """What is valid YAML and is not meant."""
    is_plain = source.text.isascii()
    seen: set[int] = set()
    stack: list[Node] = [root]
    while stack:
        node = stack.pop()
        if isinstance(node, ScalarNode):
            if not is_plain:
                yield from _scalar(source, node)
        elif id(node) in seen:
            continue
        elif isinstance(node, MappingNode):
            seen.add(id(node))
            if node.flow_style and node.tag == _MAPPING:
                yield from _in_braces(source, node)
            stack += [part for pair in node.value for part in pair]
        else:
            seen.add(id(node))
            stack += node.value


def _in_braces(source: SourceText, node: MappingNode) -> Iterator[Problem]:
    before: tuple[Node, Node] | None = None
    for key, value in node.value:
        if isinstance(key, ScalarNode) and _is_without_value(key, value):
            yield _without_value(source, key, before)
        before = (key, value)


def _is_without_value(key: ScalarNode, value: Node) -> bool:
    """Whether a flow mapping has a word without `:`; `{a: }` has one with it."""
    if not isinstance(value, ScalarNode) or value.value or value.style:
        return False
    return bool(key.end_mark and value.start_mark and key.end_mark.index == value.start_mark.index)


def _without_value(
    source: SourceText, key: ScalarNode, before: tuple[Node, Node] | None
) -> Problem:
    line, column = _place(key)
    word = str(key.value)
    if match := _NO_SPACE_AFTER_COLON.match(word):
        return source.problem(
            "missing_space",
            line,
            column,
            *_no_space_after_colon(match)[1:],
            length=len(word),
        )
    if before is None or not isinstance(before[0], ScalarNode):
        message = f"`{word}` is a key without a value"
        return source.problem("comma", line, column, message, f"write `{word}: ...`", len(word))
    name, value = before[0].value, before[1]
    message = f"the comma before `{shortened(word, _LONGEST)}` ends the value of `{name}`"
    suggestion = f"put the value in quotes if the comma belongs to it, else write `{word}: ...`"
    if isinstance(value, ScalarNode) and not value.style:
        whole = f"{value.value}, {word}"
        suggestion = (
            f"put the value in quotes if the comma belongs to it: {name}: {_in_quotes(whole)}"
        )
    if isinstance(value, ScalarNode) and value.value.isdecimal() and word.isdecimal():
        number = f"{name}: {value.value}.{word}"
        suggestion = f"a number has a point before its decimals: write {number}"
    return source.problem("comma", line, column, message, suggestion, len(word))


def _scalar(source: SourceText, node: Node) -> Iterator[Problem]:
    if not isinstance(node, ScalarNode) or node.style or node.value.isascii():
        return
    text: str = node.value
    line, column = _place(node)
    ends = text[:1] + text[-1:]
    if _STRANGE_SPACE.search(ends):
        offset = 0 if _STRANGE_SPACE.match(text) else len(text) - 1
        said = _strange_space(text[offset])
        if node.end_mark and node.end_mark.line == line - 1:
            column += offset
        yield source.problem("white_space", line, column, *said)
    elif _QUOTED.match(text):
        message = "typographic quotes are letters to YAML, and part of the value"
        plain = text.strip(_TYPOGRAPHIC)
        suggestion = f"write {_in_quotes(plain)}"
        yield source.problem("strange_character", line, column, message, suggestion, len(text))
    elif match := _STRANGE_COLON.match(text):
        yield source.problem(
            "strange_character", line, column + match.start("wrong"), *_strange_colon(match)[1:]
        )


def _place(node: Node) -> tuple[int, int]:
    mark = node.start_mark
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)


def _without_comment(line: str) -> str:
    return re.sub(r"(^|\s)#.*$", "", line).rstrip()


def _in_quotes(text: str) -> str:
    quote = "'" if '"' in text or "\\" in text else '"'
    if quote == "'":
        text = text.replace("'", "''")
    return f"{quote}{shortened(text, _LONGEST)}{quote}"
