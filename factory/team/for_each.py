"""`for_each`: a dataset or a model that is written once, and made for each of several values.

Nodes of YAML are filled in before they become values, so that a problem of what is made is shown where the text stands.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any, TypeVar

from yaml import serialize
from yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode, SequenceNode

from factory.base.texts import did_you_mean, in_quotes, one_of
from factory.team.yaml_scalars import TEXT

FOR_EACH = "for_each"
SECTIONS = ("datasets", "models")
"""Sections of a team's file whose entries may be made for each of several values, and extend a base."""
MOST = 500
"""How many datasets or models one entry may make."""

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_FIELD = re.compile(r"\$(?P<escaped>\$)?\{(?P<name>[^}]*)\}")
_ADVICE = "write lists by name, such as {region: [north, south]}, or a list of mappings"

AnyCollection = TypeVar("AnyCollection", bound=CollectionNode)
Values = dict[str, Node]
"""What stands for each name, in one of the entries that are made."""


@dataclass(frozen=True)
class Fault:
    """What is wrong with a node."""

    node: Node
    message: str
    suggestion: str | None = None


class FilledText(ScalarNode):
    """A text with values in place of names, which knows what was written."""

    def __init__(self, written: ScalarNode, value: str, origin: Sequence[int]) -> None:
        super().__init__(TEXT, value, written.start_mark, written.end_mark, written.style)
        self.written = written
        self.origin = origin
        """For each character of the value, which one of the written text it comes from."""


class TooManyNodesError(Exception):
    """Filling in makes more nodes than a file may have."""

    def __init__(self, node: Node) -> None:
        super().__init__()
        self.node = node


@dataclass
class ForEach:
    """Makes the entries of a file that are written for several values.

    Args:
        most_nodes: How many nodes may be made.
    """

    most_nodes: int
    faults: list[Fault] = field(default_factory=list)

    def filled(self, root: MappingNode) -> MappingNode:
        """The file with every entry written out; what is wrong is in `faults`, and left out.

        Raises:
            TooManyNodesError: There would be more than may be made.
        """
        pairs = [
            (key, self._section(value) if _is_section(key, value) else value)
            for key, value in root.value
        ]
        return _like(root, pairs)

    def _section(self, section: MappingNode) -> MappingNode:
        pairs: list[tuple[Node, Node]] = []
        for key, entry in section.value:
            values = _value(entry, FOR_EACH) if isinstance(entry, MappingNode) else None
            if values is None:
                pairs.append((key, entry))
            else:
                pairs += self._made(key, _without(entry, FOR_EACH), values)
        return _like(section, pairs)

    def _made(self, key: Node, entry: MappingNode, values: Node) -> Iterator[tuple[Node, Node]]:
        sets = self._sets(values)
        if not sets or self._unknown(key, entry, sets[0]):
            return
        seen: dict[str, Values] = {}
        for one in sets:
            name = self._filled(key, one, {})
            written = str(name.value)
            if written in seen:
                if _written(one) == _written(seen[written]):
                    self._fault(values, f"`{written}` would be made twice", "write each value once")
                    return
                advice = f"write {one_of(f'${{{each}}}' for each in one)} into the name"
                self._fault(key, f"several of these would be called `{written}`", advice)
                return
            seen[written] = one
            yield name, self._filled(entry, one, {})

    def _sets(self, values: Node) -> list[Values]:
        """What stands for the names, for each entry to make; nothing where something is wrong."""
        if isinstance(values, MappingNode):
            sets = self._matrix(values)
        elif isinstance(values, SequenceNode):
            sets = self._listed(values)
        else:
            self._fault(values, f"`{FOR_EACH}` must be a mapping or a list", _ADVICE)
            return []
        if len(sets) > MOST:
            message = f"this makes {len(sets):,}, and the most are {MOST}"
            self._fault(values, message, "write fewer values, or split them over several teams")
            return []
        names = (name for one in sets[:1] for name in one if not _NAME.fullmatch(name))
        if wrong := next(names, None):
            message = f"{wrong!r} is no name for a value"
            self._fault(values, message, "use lower-case letters, digits and underscores")
            return []
        return sets

    def _matrix(self, values: MappingNode) -> list[Values]:
        lists: dict[str, list[Node]] = {}
        for key, items in values.value:
            if not isinstance(items, SequenceNode) or not items.value:
                self._fault(items, f"`{key.value}` must be a list with at least one value", _ADVICE)
                return []
            lists[str(key.value)] = items.value
        if not lists:
            self._fault(values, f"`{FOR_EACH}` is empty", _ADVICE)
            return []
        size = 1
        for items in lists.values():
            size *= len(items)
        if size > MOST:
            message = f"this makes {size:,}, and the most are {MOST}"
            self._fault(values, message, "write fewer values, or split them over several teams")
            return []
        return [dict(zip(lists, one, strict=True)) for one in product(*lists.values())]

    def _listed(self, values: SequenceNode) -> list[Values]:
        if not values.value:
            self._fault(values, f"`{FOR_EACH}` is empty", _ADVICE)
        sets: list[Values] = []
        for item in values.value:
            if not isinstance(item, MappingNode) or not item.value:
                self._fault(item, f"each item of `{FOR_EACH}` must be a mapping", _ADVICE)
                return []
            one = {str(key.value): value for key, value in item.value}
            if sets and one.keys() != sets[0].keys():
                message = f"this has {one_of(one)}, and the first has {one_of(sets[0])}"
                self._fault(item, message, "write the same names in each")
                return []
            sets.append(one)
        return sets

    def _unknown(self, key: Node, entry: MappingNode, values: Values) -> bool:
        """Whether a text names a value that there is none of, or that is no text, number or the like."""
        before = len(self.faults)
        for node in _scalars((key, entry)):
            for found in _FIELD.finditer(node.value):
                name = found["name"]
                if found["escaped"]:
                    continue
                if name not in values:
                    known = (
                        f"`{FOR_EACH}` has {one_of(values)}; write $${{{name}}} for the text itself"
                    )
                    suggestion = did_you_mean(name, values, known)
                    self._fault(node, f"`{FOR_EACH}` has no {in_quotes(name)}", suggestion)
                elif not isinstance(values[name], ScalarNode) and (
                    node is key or not _stands_alone(node, found)
                ):
                    message = f"`{name}` is a list or a mapping, and cannot be part of a text"
                    self._fault(node, message, f"write ${{{name}}} alone, or single values")
        return len(self.faults) > before

    def _filled(self, node: Node, values: Values, made: dict[int, Node]) -> Node:
        if id(node) in made:
            return made[id(node)]
        if not isinstance(node, CollectionNode):
            return _fill(node, values) if isinstance(node, ScalarNode) else node
        copy = _like(node, [])
        made[id(node)] = copy
        self.most_nodes -= len(node.value)
        if self.most_nodes < 0:
            raise TooManyNodesError(node)
        copy.value = [
            tuple(self._filled(part, values, made) for part in item)
            if isinstance(item, tuple)
            else self._filled(item, values, made)
            for item in node.value
        ]
        return copy

    def _fault(self, node: Node, message: str, suggestion: str | None) -> None:
        self.faults.append(Fault(node, message, suggestion))


def _fill(node: ScalarNode, values: Values) -> Node:
    found = _FIELD.search(node.value)
    if found is None:
        return node
    if _stands_alone(node, found):
        # As it is written there: a number stays a number, in quotes too, without which braces may not stand within others.
        return values[found["name"]]
    text: list[str] = []
    origin: list[int] = []
    at = 0
    for found in _FIELD.finditer(node.value):
        new = f"${{{found['name']}}}" if found["escaped"] else str(values[found["name"]].value)
        text += [node.value[at : found.start()], new]
        origin += [*range(at, found.start()), *([found.start()] * len(new))]
        at = found.end()
    text.append(node.value[at:])
    origin += range(at, len(node.value))
    return FilledText(node, "".join(text), origin)


def _written(values: Values) -> list[tuple[str, str]]:
    return [(name, serialize(node)) for name, node in values.items()]


def _stands_alone(node: ScalarNode, found: re.Match[str]) -> bool:
    return found[0] == node.value and not found["escaped"]


def _is_section(key: Node, value: Node) -> bool:
    return key.value in SECTIONS and isinstance(value, MappingNode)


def _value(entry: MappingNode, name: str) -> Node | None:
    return next((value for key, value in entry.value if key.value == name), None)


def _without(entry: MappingNode, name: str) -> MappingNode:
    return _like(entry, [pair for pair in entry.value if pair[0].value != name])


def _like(node: AnyCollection, value: list[Any]) -> AnyCollection:
    return type(node)(node.tag, value, node.start_mark, node.end_mark, node.flow_style)


def _scalars(nodes: Sequence[Node]) -> Iterator[ScalarNode]:
    """The texts within nodes, each once."""
    seen: set[int] = set()
    waiting = list(nodes)
    while waiting:
        node = waiting.pop(0)
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, ScalarNode):
            yield node
        elif isinstance(node, MappingNode):
            waiting[:0] = [part for pair in node.value for part in pair]
        else:
            waiting[:0] = node.value
