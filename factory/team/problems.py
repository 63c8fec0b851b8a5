"""Problems and warnings: what is wrong with a file, where, and what to write instead.

What is probably wrong but could be meant is a warning: it has a code from F100, takes no DAG away, and
`# factory: allow F101` on its line takes it back.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from factory.team.codes import is_warning


@dataclass(frozen=True, order=True)
class Problem:
    """One finding about a file.

    `line` and `column` count from 1; `source` is the text of that line, of which `length`
    characters are meant. `suggestion` is a sentence that says what to write instead.
    """

    file: Path
    line: int
    column: int
    code: str
    """Such as F020; `factory explain` says what it means."""
    message: str
    suggestion: str | None = None
    source: str = ""
    length: int = 1
    key_line: int = 0
    """The line of the key whose value is meant; 0 where that is the same line."""
    named_in: Path | None = None
    """The team file that names `file`, where `file` is none itself."""

    @property
    def is_warning(self) -> bool:
        """Whether it may be meant: nothing is withheld for it."""
        return is_warning(self.code)

    @property
    def place(self) -> str:
        """Where it stands, as `file:line:column`, which editors and terminals open."""
        return f"{self.file}:{self.line}:{self.column}"

    @property
    def snippet(self) -> str:
        """The line with a caret below the place; empty where there is no text to show."""
        if not self.source.strip():
            return ""
        number = str(self.line)
        # Tabs stay tabs, so that the caret stands below its character wherever tabs end.
        indent = re.sub(r"[^\t]", " ", self.source[: self.column - 1])
        caret = "^" * max(1, min(self.length, len(self.source) - self.column + 1))
        return f"{number} | {self.source}\n{' ' * len(number)} | {indent}{caret}"

    def __str__(self) -> str:
        level = " warning:" if self.is_warning else ""
        lines = [f"{self.place}: {self.code}{level} {self.message}"]
        lines += [f"    {line}" for line in self.snippet.splitlines()]
        if self.suggestion:
            lines.append(f"    {self.suggestion}")
        return "\n".join(lines)


class ReadFailed(Exception):  # noqa: N818 -- says what happened; its problems are the errors
    """A file has problems, all of which are in `problems`, in the order of their lines.

    There is no warning among them.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(set(problems), key=_order))
        super().__init__(self.problems)

    def __str__(self) -> str:
        return "\n\n".join(str(problem) for problem in self.problems)


def in_order(problems: Iterable[Problem]) -> list[Problem]:
    """Each problem once, by file and line."""
    return sorted(set(problems), key=_order)


def _order(problem: Problem) -> tuple[str, int, int, str, str, str]:
    place = (str(problem.file), problem.line, problem.column)
    return (*place, problem.code, problem.message, problem.suggestion or "")
