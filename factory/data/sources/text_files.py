"""What sources of CSV files, fixed-width files and workbooks have in common: columns of text that are looked at."""

from abc import abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from factory.data.sources.files import FileSource, FilesToRead
from factory.data.sources.text_dialect import ValueDialect

if TYPE_CHECKING:
    from factory.data.sources.text_columns import TextColumns


@dataclass(frozen=True)
class Texts:
    """Files as columns of text."""

    names: Sequence[str]
    """The columns' names."""
    columns: "TextColumns"
    place: Callable[[str, str], str]
    """Where a column has a value for the first time: `a.csv, line 4: `; empty if it is not found."""
    typed: Callable[[Mapping[str, str]], str] | None = None
    """The SQL by which DuckDB reads the columns in these types, and names the lines where it cannot."""
    doubts: Sequence[str] = ()
    """What is in doubt about the files, beside their columns' types."""
    told: Mapping[str, Collection[str]] = field(default_factory=dict)
    """Values by column that `doubts` speak of."""
    are_texts: Collection[str] = field(default_factory=frozenset)
    """Columns that the files say to be text, whatever their values look like."""


class TextSource(ValueDialect, FileSource):
    """Files whose values are read as text first; all rows tell what they are."""

    reads_texts: ClassVar[bool] = True

    def query(self, read: FilesToRead) -> str:
        """The SQL that reads the files, with the declared types, and those that their texts have."""
        from factory.data.sources.declared_columns import (
            cast_strictly,
            read_declared,
            refuse_dates,
            wider_numbers,
        )
        from factory.data.sources.text_columns import Reading
        from factory.lake.engine import canonical_type, quote

        texts = self.texts(read)
        columns, known = texts.columns, read.types.columns
        kinds = {name: canonical_type(known[name]) for name in texts.names if name in known}
        unknown = [name for name in texts.names if name not in kinds]
        found = {
            **{name: Reading(quote(name)) for name in unknown if name in texts.are_texts},
            **columns.readings([name for name in unknown if name not in texts.are_texts]),
        }
        doubts = [one.doubt for one in found.values() if one.doubt]
        new = [
            doubt
            for doubt in doubts
            if not doubt.found or doubt.values - set(texts.told.get(doubt.column, ()))
        ]
        self.tell([*texts.doubts, *map(str, new)])
        if read.types.may_widen:
            wider = wider_numbers(columns, kinds)
            found = {**found, **wider}
            kinds = {name: kind for name, kind in kinds.items() if name not in wider}
        said = read.types.said
        declared = read_declared(columns, kinds, said, texts.place)
        expressions = {
            **{name: one.expression for name, one in found.items()},
            **declared.expressions,
        }
        if texts.typed is not None:
            query = texts.typed({name: kinds[name] for name in kinds if name not in expressions})
            if declared.broken:
                refuse_dates(read.connection, query, declared.broken)
        else:
            query = columns.query
            others = {name: kind for name, kind in kinds.items() if name not in expressions}
            expressions |= cast_strictly(columns, others, declared.broken, said, texts.place)
        replaced = ", ".join(f"{sql} as {quote(name)}" for name, sql in expressions.items())
        return f"select * replace ({replaced}) from ({query})" if replaced else query  # noqa: S608

    @abstractmethod
    def texts(self, read: FilesToRead) -> Texts:
        """The files' columns as text, of which nobody has said yet what they are."""
