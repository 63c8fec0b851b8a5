"""What in a team's file is probably wrong and could be meant; and the comments that take warnings back."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from yaml.nodes import MappingNode, Node, ScalarNode

from factory.base.section import sections_below
from factory.team.codes import table
from factory.team.layers import Layers
from factory.team.problems import Problem, ReadFailed
from factory.team.source_text import SourceText, read_text
from factory.team.team import TeamConfig
from factory.team.template_rules import check_dates
from factory.team.yaml_tree import YamlTree, parse

_ALLOW = re.compile(r"(?:^|\s)#\s*factory:\s*allow\b[\s:]*(?P<codes>.*)$", re.IGNORECASE)
_MARK = re.compile(r"#\s*factory:\s*allow", re.IGNORECASE)
_CUT_BY_COMMENT = re.compile(r"\s#(?=[^\s#!]|$)", re.MULTILINE)


def find_warnings(team: TeamConfig, layers: Layers) -> Iterator[Problem]:
    """The warnings about a team's file.

    Args:
        team: What it says.
        layers: Where its values stand.
    """
    about_dates = map(layers.locate, check_dates(team))
    yield from (problem for problem in about_dates if problem.is_warning)
    for path, one in sections_below(team):
        yield from (layers.locate(finding.below(path)) for finding in one.doubts())
    yield from texts_in_comments(layers.home)


def texts_in_comments(tree: YamlTree) -> Iterator[Problem]:
    """Values that end at a `#` which is followed by a letter at once: rather text than a comment."""
    if not _CUT_BY_COMMENT.search(tree.source.text):
        return
    for node in _plain_scalars(tree.root):
        end = node.end_mark
        if end is None or (node.start_mark and node.start_mark.line != end.line):
            continue
        line = tree.source.line(end.line + 1)
        rest = line[end.column :]
        match = _CUT_BY_COMMENT.match(rest.replace("  ", " ", 1)) if rest.startswith(" ") else None
        if match is None or _MARK.search(rest) or not (node.value or rest):
            continue
        # A sign alone is what is meant only where there is no value else: `comment: #`.
        if node.value and rest.strip() == "#":
            continue
        whole = f"{node.value} {rest.strip()}".strip()
        yield tree.source.problem(
            "text_in_comment",
            end.line + 1,
            end.column + rest.index("#") + 1,
            "`#` starts a comment here, which the value is then without",
            f'put the value in quotes if it belongs to it: "{whole}"',
            len(rest.strip()),
        )


def _plain_scalars(node: Node) -> Iterator[ScalarNode]:
    if isinstance(node, ScalarNode):
        if not node.style:
            yield node
    elif isinstance(node, MappingNode):
        for _, value in node.value:
            yield from _plain_scalars(value)
    else:
        for item in node.value:
            yield from _plain_scalars(item)


@dataclass(frozen=True)
class _Allow:
    """One code of a comment that takes warnings back."""

    source: SourceText
    line: int
    column: int
    code: str

    def takes_back(self, warning: Problem) -> bool:
        at = (warning.line, warning.key_line)
        is_here = warning.file == self.source.file and self.line in at
        return warning.is_warning and is_here and warning.code == self.code

    def unused(self) -> Problem:
        known = table().get(self.code)
        message = f"there is no {self.code} here to take back"
        suggestion = "take the comment away"
        if known is None:
            message = f"there is no warning {self.code}"
            suggestion = "write the code that stands before the warning, such as F101"
        elif not known.is_warning:
            message = f"{self.code} is a problem, and only warnings can be taken back"
            suggestion = f"mend it: `factory explain {self.code}`"
        return self.source.problem(
            "unused_allow", self.line, self.column, message, suggestion, len(self.code)
        )


def take_back(found: Iterable[Problem], sources: Iterable[SourceText]) -> list[Problem]:
    """What is left when comments have taken warnings back, and the comments that take nothing back.

    Args:
        found: Problems and warnings of all files, in every environment.
        sources: The files.
    """
    found = list(found)
    broken = {problem.file for problem in found if not problem.is_warning}
    allows = [allow for source in sources for allow in _allows(source)]
    used = {allow for allow in allows if any(map(allow.takes_back, found))}
    left = [problem for problem in found if not any(allow.takes_back(problem) for allow in used)]
    # Of a file with problems not all warnings are known.
    unused = [a.unused() for a in allows if a not in used and a.source.file not in broken]
    return [*left, *(problem for problem in unused if not _is_allowed(problem, allows))]


def _is_allowed(problem: Problem, allows: Iterable[_Allow]) -> bool:
    return any(allow.takes_back(problem) for allow in allows)


def _allows(source: SourceText) -> Iterator[_Allow]:
    if not _MARK.search(source.text):
        return
    texts = _texts_with_hash(source)
    for number, line in enumerate(source.text.splitlines(), 1):
        match = _ALLOW.search(line)
        if match is None or any(start <= (number, match.start() + 1) < end for start, end in texts):
            continue
        for code in re.finditer(r"[^\s,]+", match["codes"]):
            if not re.fullmatch(r"[A-Za-z]\d+", code[0]):
                break  # a remark, such as `F101 - as agreed`
            column = match.start("codes") + code.start() + 1
            yield _Allow(source, number, column, code[0].upper())


def _texts_with_hash(source: SourceText) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Where texts stand that hold a `#`: what looks like a comment there is none."""
    try:
        root: Node = parse(source).root
    except ReadFailed:
        return []
    places = []
    stack = [root]
    while stack:
        node = stack.pop()
        if isinstance(node, ScalarNode):
            if "#" in node.value and node.start_mark and node.end_mark:
                start, end = node.start_mark, node.end_mark
                places.append(((start.line + 1, start.column), (end.line + 1, end.column)))
        elif isinstance(node, MappingNode):
            stack += [part for pair in node.value for part in pair]
        else:
            stack += node.value
    return places


def sources_of(files: Iterable[Path]) -> Iterator[SourceText]:
    """The texts of files, without those that cannot be read."""
    for file in files:
        try:
            yield read_text(file)
        except ReadFailed:
            continue
