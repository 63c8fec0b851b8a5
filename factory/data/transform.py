"""What happens to rows between their source and their checks."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from factory.base.errors import TerminalError
from factory.base.objects import import_object
from factory.data.chunks import as_table, unwritable_values
from factory.data.sql import Rows, Tables, dataset_tables, sandbox, select, sql_errors, write_rows
from factory.data.transforms.sections import (
    ImagesTransform,
    PythonTransform,
    SqlTransform,
    Transform,
)
from factory.lake import engine
from factory.lake.table import Lake

log = logging.getLogger(__name__)


def transform(
    transforms: Sequence[Transform],
    rows: Rows,
    *,
    workspace: Path,
    lake: Lake,
    versions: Mapping[str, int],
    team: str | None = None,
) -> Rows:
    """Rows after every transform, in order.

    Args:
        transforms: SQL transforms have their text in `query`; files are read before.
        rows: The rows so far; their file stays, so that the task can be retried.
        workspace: Where intermediate files go.
        lake: Where further datasets are read.
        versions: The version of every dataset that SQL may read as `team.dataset`.
        team: The team that new pictures belong to.

    Raises:
        TerminalError: when a query or a function cannot be used, or fails on these rows.
    """
    latest = rows
    for number, step in enumerate(transforms, 1):
        file = workspace / f"{rows.file.stem}_transform_{number}.parquet"
        if isinstance(step, SqlTransform):
            after = _by_sql(step, number, latest, file, dataset_tables(lake, versions))
        elif isinstance(step, ImagesTransform):
            after = _by_images(step, number, latest, file, lake, team)
        else:
            after = _by_python(step, number, latest, file)
        log.info(
            "transform %d (%s): %s rows -> %s rows", number, step.type, latest.rows, after.rows
        )
        if latest.file != rows.file:
            latest.file.unlink()
        latest = after
    return latest


def _by_sql(step: SqlTransform, number: int, rows: Rows, file: Path, datasets: Tables) -> Rows:
    what = f"transform {number} (sql)"
    if step.query is None:
        raise TerminalError(f"{what}: the text of {step.file} has not been read into `query`")
    with sandbox({"source": [rows.file], **datasets}, file.parent) as connection:
        relation = select(connection, step.query, what)
        with sql_errors(connection, step.query, what):
            return write_rows(relation, file)


def _by_images(
    step: ImagesTransform, number: int, rows: Rows, file: Path, lake: Lake, team: str | None
) -> Rows:
    from factory.data.images.store import ImageStore
    from factory.data.images.transform import transform_images

    what = f"transform {number} (images)"
    if team is None:
        raise TerminalError(f"{what}: pictures belong to a team: hand in `team`")
    return transform_images(step, what, rows, file, ImageStore(file.parent, team, lake))


def _by_python(step: PythonTransform, number: int, rows: Rows, file: Path) -> Rows:
    what = f"transform {number} ({step.call})"
    function = import_object(step.call)
    before = pq.read_table(rows.file).to_pandas()
    try:
        after = function(before, **step.arguments)
    except Exception as error:
        error.add_note(f"raised in {what}, given {rows.rows} rows of {', '.join(rows.columns)}")
        raise
    if not isinstance(after, pd.DataFrame):
        raise TerminalError(
            f"{what} returned {type(after).__name__}: let it return a pandas DataFrame"
        )
    table = as_table(after, what)
    with engine.connect(file.parent) as connection, unwritable_values(what):
        return write_rows(connection.from_arrow(table), file)
