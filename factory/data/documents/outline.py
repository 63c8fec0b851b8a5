"""The sections of a text in Markdown, by its headings."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_HEADING = re.compile(r"(#{1,6})[ \t]+(.*?)[ \t]*#*")
_FENCE = re.compile(r" {0,3}(```+|~~~+)")


@dataclass(frozen=True)
class Part:
    """What is from one heading to the next."""

    start: int
    """Where it starts, in characters."""
    text: str
    """With its heading's line."""
    headings: tuple[str, ...] = ()
    """Those that it is under, the outermost first, its own last."""

    @property
    def body(self) -> str:
        """What is below its heading."""
        return self.text.partition("\n")[2] if self.headings else self.text


def parts_of(text: str) -> Iterator[Part]:
    """The parts of a text, in their order, which together are the text; one without headings is one part."""
    open_fence, start, place = "", 0, 0
    above: list[tuple[int, str]] = []
    for line in text.splitlines(keepends=True):
        fence = _FENCE.match(line)
        if fence and not open_fence:
            open_fence = fence[1]
        elif fence and fence[1].startswith(open_fence):
            open_fence = ""
        heading = None if open_fence else _HEADING.fullmatch(line.rstrip())
        if heading:
            if place > start:
                yield Part(start, text[start:place], tuple(name for _, name in above))
            start, level = place, len(heading[1])
            above = [one for one in above if one[0] < level]
            above.append((level, heading[2]))
        place += len(line)
    if place > start:
        yield Part(start, text[start:], tuple(name for _, name in above))
