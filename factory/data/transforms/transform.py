"""What every kind of transform has in common, and what it is given."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

from factory.base.section import Section
from factory.data.folders import DataFolders
from factory.data.sources.source import Connections, NoConnections
from factory.data.written_sql import WrittenSql
from factory.kinds import TRANSFORM, KindOf

if TYPE_CHECKING:
    from factory.data.rows import Piece, Rows
    from factory.lake.table import Lake


@dataclass(frozen=True)
class Reach:
    """What transforms may read beside rows and the lake, where they run."""

    folders: DataFolders = field(default_factory=lambda: DataFolders(Path(), ()))
    """Where files may be read; nowhere when left out."""
    internal_hosts: tuple[str, ...] = ()
    """Servers that may be asked though they are internal: see `factory.base.hosts`."""
    connections: Connections = field(default_factory=NoConnections)
    """Airflow's connections."""
    dataset: str | None = None
    """The full name of the dataset that is made; None where none is published."""


@dataclass(frozen=True)
class TransformContext:
    """What a transform is given to make new rows of the rows so far."""

    rows: "Rows"
    """The rows so far, in a parquet file that stays as it is."""
    file: Path
    """The parquet file for the new rows; its folder is the run's scratch folder."""
    what: str
    """What the transform is called in errors, such as `transform 2 (sql)`."""
    team: str
    """The team whose dataset or model this is."""
    lake: "Lake"
    """Where further datasets are read."""
    versions: Mapping[str, int]
    """The version to read of each further dataset, by its full name."""
    reach: Reach = field(default_factory=Reach)
    """What it may read beside rows and the lake."""

    def write(self, pieces: "Iterable[Piece]") -> "Rows":
        """Stream rows into `file`, in types that fit the values of every piece.

        Args:
            pieces: pandas DataFrames, pyarrow Tables or RecordBatches, all with the same columns.
                One piece is held in memory at a time.

        Raises:
            TerminalError: Values cannot be brought into one type; names the column.
        """
        from factory.data.rows import write_pieces

        return write_pieces(pieces, self.what, self.file)


class Transform(Section, ABC):
    """Something that happens to rows on their way.

    A kind of transform is a subclass with `type: Literal["its_name"]`, a docstring that says what
    it does, the fields that a team may write, and `apply`.
    """

    keeps_columns: ClassVar[bool] = False
    """Whether the rows after it have the columns of those before, in the same types."""

    type: str

    @abstractmethod
    def apply(self, context: TransformContext) -> "Rows":
        """The new rows, in the file `context.file`: as a rule by `context.write`.

        Raises:
            TerminalError: The transform cannot be used, or not on these rows.
        """

    def describe(self) -> str:
        """What the transform is called in errors, beside its number."""
        return self.type

    def for_document(self, project: Path) -> "Transform":  # noqa: ARG002
        """The transform as a DAG's document holds it: texts of the project's files in place of paths."""
        return self

    def known_columns(self, before: tuple[str, ...] | None) -> tuple[str, ...] | None:
        """The columns after it, where the section alone tells them; None where only a run does.

        Args:
            before: The columns before it, where they are known.
        """
        return before if self.keeps_columns else None

    def written_sql(self, project: Path) -> WrittenSql | None:  # noqa: ARG002
        """The query that the team has written, over `source` and the datasets that are read; None for other kinds.

        Args:
            project: The folder that paths start from.
        """
        return None


AnyTransform = Annotated[Transform, KindOf(TRANSFORM)]
"""Any kind of transform."""
