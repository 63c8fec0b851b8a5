"""Nodes of a YAML text: parsed with care, and located."""

from collections.abc import Iterator
from typing import Any, cast

import yaml
from yaml.error import Mark
from yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode, SequenceNode

from factory.team.problems import Problem, ReadFailed
from factory.team.source_text import SourceText
from factory.team.yaml_errors import explain_yaml_error, is_too_deep
from factory.team.yaml_scalars import HAS_LIBYAML, MERGE, Loader

MAX_DEPTH = 100
TOO_DEEP = f"mappings and lists are nested deeper than {MAX_DEPTH} levels here"

# As deep as libyaml is known to recurse safely, without a closer look; the parser in Python is not.
_HARMLESS_BRACKETS = 1000 if HAS_LIBYAML else MAX_DEPTH


def compose(source: SourceText) -> Node | None:
    """The root node of a text; None when there is nothing in it.

    Raises:
        ReadFailed: The text is not YAML, or too deep.
    """
    try:
        # libyaml recurses, before its version 0.2.6 without a limit, which takes the process down. Nesting
        # by indentation alone cannot go far within the size that a file may have.
        if sum(map(source.text.count, "[{-?")) >= _HARMLESS_BRACKETS:
            _check_depth(source, Loader)
        loader = Loader(source.text)
        try:
            node: Node | None = loader.get_single_node()
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        if is_too_deep(error):
            _check_depth(source, yaml.SafeLoader)
        raise ReadFailed([explain_yaml_error(error, source)]) from None
    return node


def _check_depth(source: SourceText, parser: Any) -> None:
    """Raise where a text is nested too deep, without recursion.

    Raises:
        ReadFailed: It is; shows the first place.
    """
    depth = 0
    for event in yaml.parse(source.text, Loader=parser):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            mark = start_of(event)
            raise ReadFailed([source.problem(mark.line + 1, mark.column + 1, TOO_DEEP)])


def start_of(node: Node | yaml.Event) -> Mark:
    """Where a node starts; line and column count from 0."""
    return cast("Mark", node.start_mark)  # typed as optional; the parser always sets it


def problem_at_node(
    source: SourceText, node: Node, message: str, suggestion: str | None = None
) -> Problem:
    """A problem with a node."""
    start, end = start_of(node), node.end_mark or start_of(node)
    length = end.column - start.column if end.line == start.line else 1
    return source.problem(start.line + 1, start.column + 1, message, suggestion, max(1, length))


def is_beside_its_key(node: Node) -> bool:
    """Whether a value starts where its key is, rather than as a block below, or is empty."""
    if isinstance(node, ScalarNode):
        return bool(node.value) or bool(node.style)
    return isinstance(node, CollectionNode) and bool(node.flow_style)


def pairs_of(node: MappingNode) -> Iterator[tuple[str, tuple[ScalarNode, Node]]]:
    """The pairs of a mapping from the weakest to the strongest: merged ones, then its own.

    Of a key that appears twice the first counts.
    """
    for key, value in reversed(node.value):
        if key.tag == MERGE:
            sources = value.value if isinstance(value, SequenceNode) else [value]
            for merged in reversed(sources):
                if isinstance(merged, MappingNode):
                    yield from pairs_of(merged)
    for key, value in reversed(node.value):
        if isinstance(key, ScalarNode) and key.tag != MERGE:
            yield key.value, (key, value)
