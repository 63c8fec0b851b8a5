"""YAML as plain values, with the place of every key and value at hand."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, NoReturn, cast

import yaml
from yaml.error import Mark
from yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode, SequenceNode

from factory.base.findings import KeyPath
from factory.team.for_each import FOR_EACH, ForEach, TooManyNodesError
from factory.team.problems import Problem, ReadFailed
from factory.team.source_text import SourceText
from factory.team.yaml_errors import explain_yaml_error, is_too_deep
from factory.team.yaml_scalars import (
    HAS_LIBYAML,
    MERGE,
    TAG,
    TEXT,
    Loader,
    ScalarRefused,
    check_key,
    read_scalar,
    refused_tag,
)
from factory.team.yaml_traps import traps

MAX_NODES = 100_000
MAX_PROBLEMS = 100
MAX_DEPTH = 100
TOO_DEEP = f"mappings and lists are nested deeper than {MAX_DEPTH} levels here"

# As deep as libyaml is known to recurse safely, without a closer look; the parser in Python is not.
_HARMLESS_BRACKETS = 1000 if HAS_LIBYAML else MAX_DEPTH


@dataclass(frozen=True)
class YamlTree:
    """A file's content: its values, what is wrong with them, and where each of them stands."""

    source: SourceText
    root: MappingNode = field(repr=False)
    value: dict[str, Any] = field(repr=False)
    problems: tuple[Problem, ...]
    reserved_keys: tuple[ScalarNode, ...] = field(repr=False)
    """Keys that start with two underscores, which dag-factory executes."""

    @cached_property
    def _pairs(self) -> dict[int, dict[str, tuple[ScalarNode, Node]]]:
        return {}

    def pairs(self, node: MappingNode) -> dict[str, tuple[ScalarNode, Node]]:
        """The keys of a mapping, each with its node and its value's, merge keys followed."""
        if id(node) not in self._pairs:
            self._pairs[id(node)] = dict(pairs_of(node))
        return self._pairs[id(node)]

    def nodes(self, path: KeyPath) -> tuple[Node | None, Node | None]:
        """The nodes of a path's key (a list's items have none) and value; None when not there."""
        key: Node | None = None
        value: Node | None = self.root
        for step in path:
            if isinstance(value, MappingNode) and isinstance(step, str):
                key, value = self.pairs(value).get(step, (None, None))
            elif isinstance(value, SequenceNode) and isinstance(step, int):
                key, value = None, (value.value[step : step + 1] or [None])[0]
            else:
                return None, None
        return key, value

    def problem(
        self,
        name: str,
        path: KeyPath,
        message: str,
        suggestion: str | None = None,
        *,
        on_key: bool = False,
    ) -> Problem:
        """A problem with the value at `path`, or with its key.

        It is shown at the value where that stands beside its key, else at the key above it.
        """
        key, value = self.nodes(path)
        node = value or self.root
        if key is not None and (on_key or not is_beside_its_key(node)):
            node = key
        key_line = start_of(key).line + 1 if key is not None else 0
        return problem_at_node(self.source, name, node, message, suggestion, key_line)

    def line(self, path: KeyPath) -> int:
        """The line, from 1, of a path's key, or of a list's item; of the file's beginning where it leads nowhere."""
        key, value = self.nodes(path)
        return start_of(key or value or self.root).line + 1

    def every_key(self) -> Iterator[tuple[KeyPath, ScalarNode]]:
        """Every key in the file, with its path."""
        yield from self._keys_below(self.root, ())

    def _keys_below(self, node: Node, path: KeyPath) -> Iterator[tuple[KeyPath, ScalarNode]]:
        if isinstance(node, MappingNode):
            for name, (key, value) in self.pairs(node).items():
                yield (*path, name), key
                yield from self._keys_below(value, (*path, name))
        elif isinstance(node, SequenceNode):
            for index, item in enumerate(node.value):
                yield from self._keys_below(item, (*path, index))


# Each environment reads the files anew. A few trees only: the nodes of 1,000 files are 100 MB.
@lru_cache(maxsize=32)
def parse(source: SourceText) -> YamlTree:
    """The tree of a text, of which nothing may be changed.

    What is wrong with single keys and values is in the tree's `problems`, so that the rest can be
    looked at in the same pass.

    Raises:
        ReadFailed: The text is not YAML, not a mapping, or unreasonably deep or large.
    """
    root = compose(source)
    if root is None or (isinstance(root, ScalarNode) and not root.value):
        advice = "write at least `version: 1`, `team:`, `owner:` and one of the team's datasets or models"
        raise ReadFailed([source.problem("not_a_mapping", 1, 1, "the file is empty", advice)])
    if not isinstance(root, MappingNode):
        message = "the file must be a mapping, with lines such as `team: marine`"
        raise ReadFailed([problem_at_node(source, "not_a_mapping", root, message)])
    walk = _Walk(source)
    filled = walk.filled(root)
    value = walk.mapping(filled, 1)
    return YamlTree(source, filled, value, walk.all_problems(root), tuple(walk.reserved_keys))


class _Walk:
    """Turns nodes into plain values and collects what is wrong with them on the way."""

    def __init__(self, source: SourceText) -> None:
        self.source = source
        self.problems: list[Problem] = []
        self.reserved_keys: list[ScalarNode] = []
        self._nodes = 0
        self._open: set[int] = set()
        self._reported: set[int] = set()

    def all_problems(self, root: MappingNode) -> tuple[Problem, ...]:
        """Those of single keys and values, and what is valid YAML and not meant."""
        found = list(traps(self.source, root))
        places = {problem.place for problem in found}
        return (*found, *(problem for problem in self.problems if problem.place not in places))

    def filled(self, root: MappingNode) -> MappingNode:
        """The file with what is written for each of several values."""
        if FOR_EACH not in self.source.text:
            return root
        making = ForEach(MAX_NODES)
        try:
            filled = making.filled(root)
        except TooManyNodesError as error:
            self._stop_too_large(error.node)
        for fault in making.faults:
            self._report("for_each", fault.node, fault.message, fault.suggestion)
        return filled

    def mapping(self, node: MappingNode, depth: int) -> dict[str, Any]:
        self._enter(node, depth)
        values: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        seen: dict[str, Node] = {}
        for key, child in node.value:
            if key.tag == MERGE:
                merged = {**self._merged(child, depth), **merged}
                continue
            name = self._key(key)
            if name is None:
                self._value(child, depth)
            elif name in seen:
                self._report_twice(name, key, seen[name])
                self._value(child, depth)
            else:
                seen[name] = key
                values[name] = self._value(child, depth)
        self._open.discard(id(node))
        return {**merged, **values} if merged else values

    def _value(self, node: Node, depth: int) -> Any:
        if isinstance(node, ScalarNode):
            self._nodes += 1
            return node.value if node.tag == TEXT else self._scalar(node)
        if isinstance(node, MappingNode):
            self._check_tag(node, f"{TAG}map")
            return self.mapping(node, depth + 1)
        self._check_tag(node, f"{TAG}seq")
        self._enter(node, depth + 1)
        items = [self._value(item, depth + 1) for item in node.value]
        self._open.discard(id(node))
        return items

    def _enter(self, node: Node, depth: int) -> None:
        self._nodes += 1
        if id(node) in self._open:
            self._stop(
                "anchor",
                node,
                "this anchor contains itself",
                "write the content out instead of `*`",
            )
        if depth > MAX_DEPTH:
            self._stop("too_large", node, TOO_DEEP)
        if self._nodes > MAX_NODES:
            self._stop_too_large(node)
        self._open.add(id(node))

    def _stop_too_large(self, node: Node) -> NoReturn:
        message = f"the file expands to more than {MAX_NODES:,} values"
        advice = f"use fewer aliases (`*`) and values of `{FOR_EACH}`, or split the team in two"
        self._stop("too_large", node, message, advice)

    def _stop(self, name: str, node: Node, message: str, suggestion: str | None = None) -> NoReturn:
        problem = problem_at_node(self.source, name, node, message, suggestion)
        raise ReadFailed([*self.problems, problem])

    def _report(self, name: str, node: Node, message: str, suggestion: str | None = None) -> None:
        if id(node) in self._reported:
            return  # an alias brought us here again
        self._reported.add(id(node))
        if len(self.problems) >= MAX_PROBLEMS:
            self._stop(
                "too_large",
                node,
                f"{MAX_PROBLEMS} problems so far: the rest of the file is not read",
            )
        self.problems.append(problem_at_node(self.source, name, node, message, suggestion))

    def _report_twice(self, name: str, key: Node, first: Node) -> None:
        mark, again = start_of(first), start_of(key)
        self._report(
            "duplicate_key",
            key,
            f"the key `{name}` appears twice: first at {mark.line + 1}:{mark.column + 1}, again "
            f"at {again.line + 1}:{again.column + 1}",
            "keep one of them",
        )

    def _key(self, key: Node) -> str | None:
        if not isinstance(key, ScalarNode):
            self._report(
                "needs_quotes",
                key,
                "a key must be a word",
                "values in braces or brackets need quotes",
            )
            return None
        name: str = key.value
        try:
            check_key(key)
        except ScalarRefused as refused:
            self._report(refused.name, key, refused.message, refused.suggestion)
        if name.startswith("__"):
            self.reserved_keys.append(key)
        return name

    def _scalar(self, node: ScalarNode) -> Any:
        try:
            return read_scalar(node)
        except ScalarRefused as refused:
            self._report(refused.name, node, refused.message, refused.suggestion)
            return node.value

    def _merged(self, node: Node, depth: int) -> dict[str, Any]:
        sources = node.value if isinstance(node, SequenceNode) else [node]
        merged: dict[str, Any] = {}
        for source in sources:
            if isinstance(source, MappingNode):
                merged = {**self.mapping(source, depth + 1), **merged}
            else:
                message = "`<<` takes a mapping, or a list of mappings"
                self._report(
                    "anchor", source, message, "write `<<: *name`, with `&name` at a mapping above"
                )
        return merged

    def _check_tag(self, node: Node, expected: str) -> None:
        if node.tag != expected:
            refused = refused_tag(node.tag)
            self._report(refused.name, node, refused.message, refused.suggestion)


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
            raise ReadFailed(
                [source.problem("too_large", mark.line + 1, mark.column + 1, TOO_DEEP)]
            )


def start_of(node: Node | yaml.Event) -> Mark:
    """Where a node starts; line and column count from 0."""
    return cast("Mark", node.start_mark)  # typed as optional; the parser always sets it


def problem_at_node(
    source: SourceText,
    name: str,
    node: Node,
    message: str,
    suggestion: str | None = None,
    key_line: int = 0,
) -> Problem:
    """A problem with a node; `name` is its code's."""
    start, end = start_of(node), node.end_mark or start_of(node)
    length = end.column - start.column if end.line == start.line else 1
    line, column = start.line + 1, start.column + 1
    return source.problem(name, line, column, message, suggestion, max(1, length), key_line)


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
