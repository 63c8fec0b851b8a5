"""What of a file that is not YAML can be looked at all the same: everything but the entries that cannot be read.

YAML's parsers stop at the first mistake. Here the entry around it is taken away, and the rest is read
again: so that further mistakes, of any sort, are told in the same round.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from factory.team.codes import code_of
from factory.team.problems import Problem, ReadFailed
from factory.team.source_text import SourceText
from factory.team.yaml_tree import compose, parse

_MOST = 5
"""Mistakes after which the parser has rather lost its way: an open quote, say, closes with the next one that opens."""
_DEEPEST = 1_000
_KEY = re.compile(r"\s*[\"']?(?P<name>[\w-]+)")
_DEEPER_THAN_MEANT = re.compile(r"\s+(datasets|models|dags|environments)\s*:\s*$")
_ANCHOR = re.compile(r"&\w")


@dataclass(frozen=True)
class Recovered:
    """A text without the entries that cannot be read."""

    whole: SourceText
    source: SourceText
    """What is left, on the lines where it stood."""
    problems: tuple[Problem, ...]
    """The mistakes, by line."""
    gaps: tuple[range, ...]
    """The lines that were taken away."""
    names: frozenset[str]
    """The entries and sections on those lines."""

    def is_news(self, problem: Problem) -> bool:
        """Whether a problem of what is left would be there without the gaps too."""
        if problem.file != self.source.file:
            return True
        block = _block(self.whole, problem.line)
        if any(gap.start in block for gap in self.gaps):
            return False
        # What a section lacks is said at its first key, and a reference where it stands.
        is_taken_away = any(f"`{name}`" in problem.message for name in self.names)
        return not (is_taken_away or problem.code == code_of("empty_team"))


def recover(source: SourceText) -> Recovered | None:
    """The text without what is no YAML; None where all of it is, or nothing would be left."""
    left = source
    problems: list[Problem] = []
    gaps: list[range] = []
    while len(gaps) < _MOST and (problem := _mistake(left)):
        # Its anchor may stand on a line that was taken away.
        is_new = problem.code != code_of("anchor") or not _anchors(source, gaps)
        problems += [problem] if is_new else []
        gap, next_mistake = _best(left, problem.line)
        if next_mistake <= problem.line:
            return None
        left = _without(left, gap)
        gaps.append(gap)
    if not gaps or _mistake(left) is not None:
        return None
    try:
        parse(left)
    except ReadFailed:
        return None
    names = frozenset(name for gap in gaps for name in _names(source, gap))
    return Recovered(source, left, tuple(problems), tuple(gaps), names)


def _mistake(source: SourceText) -> Problem | None:
    try:
        compose(source)
    except ReadFailed as failed:
        return failed.problems[0]
    return None


def _around(source: SourceText, line: int) -> Iterator[range]:
    """The entry of a section that a line is in, such as a dataset, and then the section.

    Not less than an entry: what is left of a broken one would be full of mistakes that nobody has made.
    """
    if _DEEPER_THAN_MEANT.match(source.line(line)):
        rest = range(line + 1, len(source.lines) + 1)
        top = (n for n in rest if _is_content(source, n) and not _depth(source, n))
        yield range(line, next(top, rest.stop))
        return
    section = _enclosing(source, line, below=1)
    inner = [n for n in _block(source, section)[1:] if _is_content(source, n)]
    if inner and line != section:
        # An entry is as deep as the section's first, if that is in its place.
        depth = _depth(source, inner[0])
        if all(_depth(source, number) >= depth for number in inner):
            yield _block(source, _enclosing(source, line, below=depth + 1))
    yield _block(source, section)


def _enclosing(source: SourceText, line: int, *, below: int) -> int:
    """The last line up to this one whose depth is less; the first line if there is none."""
    above = (n for n in range(line, 0, -1) if _is_content(source, n) and _depth(source, n) < below)
    return next(above, 1)


def _best(source: SourceText, line: int) -> tuple[range, int]:
    """The lines without which most of the text can be read, and where the next mistake is.

    The parser may notice only on the line after: a line without its colon goes on there.
    """
    before = next((n for n in range(line - 1, 0, -1) if _is_content(source, n)), line)
    gaps = dict.fromkeys([*_around(source, line), *_around(source, before)])
    found = {gap: _mistake(_without(source, gap)) for gap in gaps}
    lines = {gap: one.line if one else len(source.lines) + 1 for gap, one in found.items()}
    best = max(gaps, key=lambda gap: (lines[gap], -len(gap)))
    return best, lines[best]


def _block(source: SourceText, line: int) -> range:
    """A line, and those below it that are deeper."""
    depth, end = _depth(source, line), line + 1
    for number in range(line + 1, len(source.lines) + 1):
        if not _is_content(source, number):
            continue
        if _depth(source, number) <= depth:
            break
        end = number + 1
    return range(line, end)


def _depth(source: SourceText, line: int) -> int:
    """The spaces before a line's text; more than others have where there is a tab."""
    text = source.line(line)
    before = text[: len(text) - len(text.lstrip())]
    return _DEEPEST if "\t" in before else len(before)


def _is_content(source: SourceText, line: int) -> bool:
    text = source.line(line).strip()
    return bool(text) and not text.startswith("#")


def _without(source: SourceText, gap: range) -> SourceText:
    lines = list(source.lines)
    lines[gap.start - 1 : gap.stop - 1] = [""] * len(gap)
    return replace(source, text="\n".join(lines))


def _names(source: SourceText, gap: range) -> Iterator[str]:
    """What the lines are, and where they are a section, what is in it."""
    inner = [n for n in gap[1:] if _is_content(source, n)]
    depths = {_depth(source, gap.start), *sorted(_depth(source, n) for n in inner)[:1]}
    for number in (gap.start, *inner):
        if (number in inner[:1] or _depth(source, number) in depths) and (
            match := _KEY.match(source.line(number))
        ):
            yield match["name"]


def _anchors(source: SourceText, gaps: list[range]) -> bool:
    return any(_ANCHOR.search(source.line(number)) for gap in gaps for number in gap)
