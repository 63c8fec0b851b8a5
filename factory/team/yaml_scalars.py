"""Single values in YAML: which plain ones are text, and what the others are.

What YAML 1.1 and 1.2 read differently, such as `no`, `010` or `12:30`, is refused rather than
guessed. Numbers such as `1e-3` are numbers, as in YAML 1.2.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import yaml
from yaml.constructor import SafeConstructor
from yaml.nodes import ScalarNode

from factory.base.texts import shortened

TAG = "tag:yaml.org,2002:"
TEXT, MERGE = f"{TAG}str", f"{TAG}merge"
_NULL, _AMBIGUOUS = f"{TAG}null", "!ambiguous"
_LARGEST = 2**63
_SHOWN = 40

HAS_LIBYAML = hasattr(yaml, "CSafeLoader")
"""Whether PyYAML came with libyaml, as its wheels do; without it, reading takes ten times as long."""

_Parser: Any = yaml.CSafeLoader if HAS_LIBYAML else yaml.SafeLoader


class Loader(_Parser):  # type: ignore[misc]
    """PyYAML's parser with our idea of which plain scalars are not text."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012

    def resolve(self, kind: type[yaml.Node], value: Any, implicit: tuple[bool, bool]) -> str:
        """The tag of a node that has none: of a plain scalar, by what it looks like."""
        if kind is not yaml.ScalarNode:
            return str(super().resolve(kind, value, implicit))
        return _plain_tag(value) if implicit[0] else TEXT

    def descend_resolver(self, *_node: object) -> None:
        """Tags by a node's path are not used."""

    def ascend_resolver(self) -> None:
        """Tags by a node's path are not used."""


@lru_cache(maxsize=4096)
def _plain_tag(text: str) -> str:
    for tag, pattern in Loader.yaml_implicit_resolvers.get(text[:1], ()):
        if pattern.match(text):
            return tag
    return TEXT


def _resolve(tag: str, pattern: str, first: str) -> None:
    # An empty scalar has no first character: PyYAML looks it up under the empty string.
    characters = [*first, ""] if tag == _NULL else list(first)
    Loader.add_implicit_resolver(tag, re.compile(rf"(?:{pattern})\Z", re.VERBOSE), characters)


_DIGITS = "0123456789"
_resolve(f"{TAG}bool", "true|True|TRUE|false|False|FALSE", "tTfF")
_resolve(_NULL, "~|null|Null|NULL|", "~nN")
_resolve(MERGE, "<<", "<")
_resolve(_AMBIGUOUS, "yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF", "yYnNoO")
_resolve(
    _AMBIGUOUS,
    r"[-+]?0o?[0-9_]+ | [-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?",
    f"-+{_DIGITS}",
)
_resolve(f"{TAG}int", "[-+]?(?:0 | [1-9][0-9_]* | 0x[0-9a-fA-F_]+ | 0b[01_]+)", f"-+{_DIGITS}")
_resolve(
    f"{TAG}float",
    r"[-+]?(?:[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)? | [0-9][0-9_]*[eE][-+]?[0-9]+"
    r" | \.[0-9][0-9_]*(?:[eE][-+]?[0-9]+)?) | [-+]?\.(?:inf|Inf|INF) | \.(?:nan|NaN|NAN)",
    f"-+.{_DIGITS}",
)
_resolve(
    f"{TAG}timestamp",
    r"\d{4}-\d\d-\d\d | \d{4}-\d\d?-\d\d?(?:[Tt]|[ \t]+)\d\d?:\d\d:\d\d(?:\.\d*)?"
    r"(?:[ \t]*(?:Z|[-+]\d\d?(?::\d\d)?))?",
    _DIGITS,
)

# PyYAML's own conversions; none of them executes anything.
_VALUES = SafeConstructor()
_CONVERSIONS: dict[str, Callable[[ScalarNode], Any]] = {
    f"{TAG}bool": _VALUES.construct_yaml_bool,
    f"{TAG}float": _VALUES.construct_yaml_float,
    f"{TAG}int": _VALUES.construct_yaml_int,
    f"{TAG}timestamp": _VALUES.construct_yaml_timestamp,
    _NULL: _VALUES.construct_yaml_null,
}
_KINDS = {
    f"{TAG}bool": "true or false",
    f"{TAG}float": "a number",
    f"{TAG}int": "a number",
    f"{TAG}timestamp": "a date",
    _NULL: "nothing",
}
_WORDS = {"yes": "true", "on": "true", "no": "false", "off": "false"}


class ScalarRefused(Exception):  # noqa: N818 -- says what happened; the walk makes a problem of it
    """A value, or a tag, that is not accepted."""

    def __init__(self, name: str, message: str, suggestion: str) -> None:
        self.name = name
        """Of the problem's code."""
        self.message = message
        self.suggestion = suggestion
        super().__init__(message)


def read_scalar(node: ScalarNode) -> Any:
    """The value of a scalar that is not text.

    Raises:
        ScalarRefused: It is ambiguous, not what its tag says, or has a tag of its own.
    """
    text: str = node.value
    if node.tag == _AMBIGUOUS:
        raise _ambiguous(text)
    if node.tag not in _CONVERSIONS:
        raise refused_tag(node.tag)
    try:
        value = _CONVERSIONS[node.tag](node)
    except (ValueError, LookupError, OverflowError, AttributeError):
        message = f"`{shortened(text, _SHOWN)}` is not {_KINDS[node.tag]}"
        raise ScalarRefused("ambiguous_value", message, "put it in quotes if it is text") from None
    if isinstance(value, int) and abs(value) >= _LARGEST:
        message = f"the number {shortened(text, _SHOWN)} is too large"
        raise ScalarRefused("ambiguous_value", message, "put it in quotes if it is text")
    return value


def check_key(node: ScalarNode) -> None:
    """Make sure that a key is text to every reader of YAML.

    Raises:
        ScalarRefused: It is something else to some of them.
    """
    if node.tag == TEXT:
        return
    if node.tag == _AMBIGUOUS:
        raise _ambiguous(node.value)
    if node.tag not in _KINDS:
        raise refused_tag(node.tag)
    message = f"the key `{shortened(node.value, _SHOWN)}` is no text but {_KINDS[node.tag]} in YAML"
    suggestion = f'write it in quotes: "{shortened(node.value, _SHOWN)}"'
    raise ScalarRefused("needs_quotes", message, suggestion)


def refused_tag(tag: str) -> ScalarRefused:
    """The refusal of a tag such as `!!python/name`."""
    shown = shortened(tag.replace(TAG, "!!"), _SHOWN)
    reason = ": it would run code" if "python" in tag else ""
    message = f"the tag `{shown}` is not allowed{reason}"
    return ScalarRefused("tag", message, "write the plain value, without a tag")


def _ambiguous(text: str) -> ScalarRefused:
    message = f"`{shortened(text, _SHOWN)}` means different things to different readers of YAML"
    word = _WORDS.get(text.lower())
    if word:
        suggestion = f'write {word}, or "{text}" in quotes for the word'
        return ScalarRefused("ambiguous_value", message, suggestion)
    if match := re.fullmatch(r"(\d{1,2}):(\d\d)", text):
        cron = f'"{int(match[2])} {int(match[1])} * * *"'
        suggestion = (
            f'write "{text}" in quotes for text; a schedule at that time each day is {cron}'
        )
        return ScalarRefused("ambiguous_value", message, suggestion)
    return ScalarRefused(
        "ambiguous_value",
        message,
        f'write "{shortened(text, _SHOWN)}" in quotes for text, or a plain decimal number',
    )
