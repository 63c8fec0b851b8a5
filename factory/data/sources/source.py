"""What every kind of source has in common, and what it is given."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Protocol

from factory.base.errors import TerminalError
from factory.base.section import Referring
from factory.kinds import SOURCE, KindOf

if TYPE_CHECKING:
    from factory.data.download import Login
    from factory.data.folders import DataFolders
    from factory.data.rows import Chunk, Piece, Rows
    from factory.data.sources.new_files import NewFiles
    from factory.data.sources.waiting import Wait
    from factory.lake.table import Lake

log = logging.getLogger(__name__)


class Connections(Protocol):
    """What Airflow's connections give; steps themselves know no Airflow."""

    def query_chunks(
        self,
        connection: str,
        query: str,
        chunk_rows: int,
        parameters: Mapping[str, Any] = MappingProxyType({}),
    ) -> "Iterator[Chunk]":
        """The rows of a query through the connection of a database, so many at a time; `:name` is a parameter."""

    def http_login(self, connection: str) -> "Login":
        """The headers and the login of an HTTP connection."""

    def store_access(self, connection: str | None) -> AbstractContextManager[None]:
        """Let files in S3 be read by a connection within the block; None: by what the lake is read with."""


class NoConnections:
    """Stands in where there is no Airflow: asking for a connection is an error."""

    def query_chunks(
        self,
        connection: str,
        query: str,  # noqa: ARG002
        chunk_rows: int,  # noqa: ARG002
        parameters: Mapping[str, Any] = MappingProxyType({}),  # noqa: ARG002
    ) -> "Iterator[Chunk]":
        """Raise a TerminalError."""
        raise TerminalError(f"the connection {connection!r} is asked for outside Airflow")

    def http_login(self, connection: str) -> "Login":
        """Raise a TerminalError."""
        raise TerminalError(f"the connection {connection!r} is asked for outside Airflow")

    def store_access(self, connection: str | None) -> AbstractContextManager[None]:
        """Raise a TerminalError, unless no connection is named."""
        if connection is None:
            return nullcontext()
        raise TerminalError(f"the connection {connection!r} is asked for outside Airflow")


@dataclass(frozen=True)
class KnownTypes:
    """Types that columns are read as, since they are promised or since the last snapshot has them."""

    columns: Mapping[str, str] = field(default_factory=dict)
    pinned_by: str = ""
    """The snapshot that has them; empty for types that are promised."""
    may_widen: bool = False
    """Whether numbers may get a wider type."""

    def said(self, kind: str) -> str:
        """That a column is of a type, for errors."""
        return f"{kind} in {self.pinned_by}" if self.pinned_by else f"declared as {kind}"


@dataclass(frozen=True)
class IngestContext:
    """What a source is given to read its rows."""

    folders: "DataFolders"
    """Where files may be read."""
    workspace: Path
    """The run's scratch folder."""
    team: str
    """The team whose dataset this is."""
    lake: "Lake"
    """Where other datasets are read."""
    versions: Mapping[str, int] = field(default_factory=dict)
    """The version to read of each dataset that the source refers to, by its full name."""
    columns: Mapping[str, str] = field(default_factory=dict)
    """Types that the dataset's columns are promised to have: a help where a source has no types."""
    pinned: KnownTypes = KnownTypes()
    """Types that they had in the last snapshot, for where none are promised."""
    internal_hosts: tuple[str, ...] = ()
    """Servers that may be asked though they are internal: see `factory.base.hosts`."""
    connections: Connections = field(default_factory=NoConnections)
    """Airflow's connections."""
    most_rows: int | None = None
    """How many rows are read at most, of a sample; all when left out."""
    new_files: "NewFiles | None" = None
    """Chooses the files to read, for `incremental: {by: file}`; all are read when left out."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """What a query may name as `:name`: `largest`, for `incremental: {by: column}`."""

    @property
    def project(self) -> Path:
        """The folder that paths in team files start from."""
        return self.folders.project

    @property
    def types(self) -> KnownTypes:
        """The types that columns are read as, and who says so."""
        return KnownTypes(self.columns) if self.columns else self.pinned

    @property
    def file(self) -> Path:
        """The parquet file for the rows."""
        return self.workspace / "source.parquet"

    def login(self, connection: str | None, url: str) -> "Login":
        """The headers and the login of an HTTP connection for an address; empty ones where none is named.

        Raises:
            TerminalError: The connection is for another server.
        """
        import httpx

        from factory.data.download import Login

        if connection is None:
            return Login()
        login = self.connections.http_login(connection)
        login.check_host(httpx.URL(url), connection)
        return login

    def write(self, pieces: "Iterable[Piece]", what: str) -> "Rows":
        """Stream rows into `file`, in types that fit the values of every piece.

        Args:
            pieces: pandas DataFrames, pyarrow Tables or RecordBatches, all with the same columns.
                One piece is held in memory at a time.
            what: Where they come from, for errors.

        Raises:
            TerminalError: Values cannot be brought into one type; names the column.
        """
        from factory.data.rows import first_rows, write_pieces

        if self.most_rows is not None:
            pieces = first_rows(pieces, what, self.most_rows)
        return write_pieces(pieces, what, self.file)


class Source(Referring, ABC):
    """Where a dataset's rows come from.

    A kind of source is a subclass with `type: Literal["its_name"]`, a docstring that says what it
    reads, the fields that a team may write, and `read`.
    """

    reads_texts: ClassVar[bool] = False
    """Whether its values are texts without a type, so that the types of the last snapshot tell what they are."""
    places: ClassVar[tuple[str, ...]] = ()
    """Its fields that say where rows come from, kept with snapshots for people to read. Addresses of servers and queries
    may hold more than that."""
    type: str

    @abstractmethod
    def read(self, context: IngestContext) -> "Rows":
        """The rows, in the file `context.file`: as a rule by `context.write`.

        Raises:
            TerminalError: The source cannot be used as it is.
            FactoryError: It cannot be read now, such as when a server does not answer.
        """

    @property
    def has_files(self) -> bool:
        """Whether it reads files that `incremental: {by: file}` can tell apart: it asks `IngestContext.new_files`."""
        return False

    def named(self) -> dict[str, str]:
        """What kind it is, and where it reads."""
        found = {name: getattr(self, name, None) for name in ("type", *self.places)}
        return {name: str(value) for name, value in found.items() if value}

    def waiting(self) -> "Wait | None":
        """How long a run waits for something to read; None where it does not."""
        return None

    def missing(self, context: IngestContext) -> str:
        """Why there is nothing to read yet; empty where there is something."""
        raise NotImplementedError(f"{self.type} cannot be waited for")

    def ingest(self, context: IngestContext) -> "Rows":
        """`read`, with a line in the log."""
        rows = self.read(context)
        if context.most_rows is not None and rows.rows > context.most_rows:
            from factory.data.rows import cut

            rows = cut(rows, context.most_rows)
        log.info("read %s rows of %d columns (%s)", f"{rows.rows:,}", len(rows.columns), self.type)
        return rows

    def written_how(self) -> dict[str, Any]:
        """What the section says about how texts are written, as JSON: who changes it wants other types."""
        return {}

    def known_columns(self) -> tuple[str, ...] | None:
        """The columns, where the section alone tells them; None where only a run does."""
        return None


AnySource = Annotated[Source, KindOf(SOURCE)]
"""Any kind of source."""
