"""What checks of a column of texts have in common: they read it a few thousand rows at a time."""

from collections.abc import Iterator
from typing import ClassVar

from factory.base.section import Text
from factory.data.checks.check import Check, CheckedRows

_ROWS_AT_ONCE = 2000
_SHOWN = 120


class TextCheck(Check):
    """A check of the texts of one column."""

    takes: ClassVar[str | None] = "text"

    column: Text
    """The column of the texts."""

    def texts(self, rows: CheckedRows) -> Iterator[str]:
        """The texts that are there, in the order of the rows."""
        from factory.lake.engine import quote

        name = quote(self.column)
        found = rows.result.filter(f"{name} is not null").project(f"{name}::varchar as t")
        for batch in found.to_arrow_reader(_ROWS_AT_ONCE):
            yield from batch.column(0).to_pylist()


def shown(text: str) -> str:
    """The beginning of a text, for a log."""
    flat = " ".join(text.split())
    return flat if len(flat) <= _SHOWN else f"{flat[:_SHOWN]}…"
