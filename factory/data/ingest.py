"""Rows from a dataset's source into the workspace."""

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeGuard

import pandas as pd
import pyarrow as pa

from factory.base.errors import TerminalError
from factory.base.objects import import_object
from factory.data.chunks import Piece, write_pieces
from factory.data.download import Login, download
from factory.data.sources.files import project_files, read_files
from factory.data.sources.sections import (
    CsvSource,
    DatasetSource,
    HttpSource,
    ImagesSource,
    JsonSource,
    ParquetSource,
    PythonSource,
    SqlSource,
)
from factory.data.sources.source import Source
from factory.data.sql import Rows, write_rows
from factory.lake import engine
from factory.lake.table import Lake

log = logging.getLogger(__name__)


def ingest(
    source: Source,
    *,
    project: Path,
    workspace: Path,
    lake: Lake,
    versions: Mapping[str, int],
    chunks: Iterable[Piece] | None = None,
    login: Login | None = None,
    columns: Mapping[str, str] | None = None,
    team: str | None = None,
) -> Rows:
    """The rows of a source, as the file `source.parquet` in the workspace.

    All but `python` sources stream: memory does not grow with the rows.

    Args:
        source: A dataset source names its dataset in full, `team.dataset`.
        project: The folder that paths are below.
        workspace: The run's scratch folder.
        lake: Where a dataset source is read.
        versions: The version of the dataset that a dataset source reads.
        chunks: The rows of a sql source, as `factory.data.chunks.read_chunks` makes them.
        login: Headers and login for an http source, or an images source behind an address.
        team: The team that an images source's pictures belong to.
        columns: Types for the columns of CSV and JSON files that have these names; others are found
            by looking at the values.

    Raises:
        TerminalError: when the source cannot be used as it is.
        FactoryError: when a server does not answer.
    """
    file = workspace / "source.parquet"
    match source:
        case CsvSource() | ParquetSource() | JsonSource():
            files = project_files(project, source.path)
            rows = read_files(source, files, project, file, columns or {})
        case HttpSource():
            rows = _from_address(source, file, login or Login(), columns or {})
        case ImagesSource():
            rows = _pictures(source, project, workspace, lake, login or Login(), team)
        case DatasetSource():
            rows = _from_dataset(source, lake, versions, file)
        case PythonSource():
            rows = write_pieces(_pieces(source), source.call, file)
        case SqlSource():
            if chunks is None:
                raise TerminalError("a sql source is read through a connection: hand in `chunks`")
            rows = write_pieces(chunks, f"the query through {source.connection}", file)
        case _:
            raise AssertionError(f"no way to read {source}")
    log.info("read %s rows of %d columns (%s)", f"{rows.rows:,}", len(rows.columns), source.type)
    return rows


def _from_address(source: HttpSource, file: Path, login: Login, columns: Mapping[str, str]) -> Rows:
    fetched = file.with_name(f"download.{source.format}")
    try:
        download(str(source.url), fetched, max_bytes=source.max_bytes, login=login)
        readers = {"csv": CsvSource, "json": JsonSource, "parquet": ParquetSource}
        reader = readers[source.format](type=source.format, path=fetched.name)
        return read_files(reader, [fetched], fetched.parent, file, columns, compressed=False)
    finally:
        fetched.unlink(missing_ok=True)


def _pictures(
    source: ImagesSource, project: Path, workspace: Path, lake: Lake, login: Login, team: str | None
) -> Rows:
    from factory.data.images.ingest import ingest_images
    from factory.data.images.store import ImageStore

    if team is None:
        raise TerminalError("pictures belong to a team: hand in `team`")
    store = ImageStore(workspace, team, lake)
    return ingest_images(source, project=project, workspace=workspace, store=store, login=login)


def _from_dataset(
    source: DatasetSource, lake: Lake, versions: Mapping[str, int], file: Path
) -> Rows:
    if source.dataset not in versions:
        raise TerminalError(
            f"no version of {source.dataset} is given; known: {', '.join(sorted(versions)) or 'none'}"
        )
    with engine.connect(file.parent) as connection:
        engine.create_view(connection, "rows", lake.rows(source.dataset, versions[source.dataset]))
        return write_rows(connection.table("rows"), file)


def _pieces(source: PythonSource) -> Iterable[Piece]:
    function = import_object(source.call)
    try:
        returned = _part(function(**source.arguments), source)
        if isinstance(returned, (pd.DataFrame, pa.Table, pa.RecordBatch)) or not _is_rows(returned):
            yield returned
            return
        yield from returned
    except Exception as error:
        error.add_note(f"raised in {source.call}({', '.join(source.arguments)})")
        raise


def _part(returned: object, source: PythonSource) -> object:
    if source.attribute is None:
        return returned
    try:
        return getattr(returned, source.attribute)
    except AttributeError:
        raise TerminalError(
            f"source.attribute: {source.call} returns a {type(returned).__name__} without "
            f"{source.attribute!r}: name an attribute that holds the rows, or leave it out"
        ) from None


def _is_rows(returned: object) -> TypeGuard[Iterable[Piece]]:
    # A dict, a list of dicts or a text is an iterable too, of something that makes no table.
    return isinstance(returned, Iterable) and not isinstance(returned, (str, bytes, Mapping))
