"""SQL that a team has written in a section, for those who look at it before it runs."""

from dataclasses import dataclass
from pathlib import Path

from factory.base.findings import KeyPath


@dataclass(frozen=True)
class WrittenSql:
    """A text of SQL, and where it is written."""

    text: str
    path: KeyPath
    """From the section that has it."""
    file: Path | None = None
    """The file that has the text, where the section names one."""
    is_query: bool = False
    """Whether it is a query, where a check may have a condition."""
