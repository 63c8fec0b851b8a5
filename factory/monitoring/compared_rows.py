"""The two sides of a comparison: what a model was trained on, and what it meets now."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.dataset
from duckdb import DuckDBPyConnection

from factory.base.errors import NothingToDoError
from factory.data.columns import learnable, require_columns
from factory.data.roles import names_rows
from factory.lake import engine
from factory.lake.engine import quote
from factory.lake.table import Lake

PREDICTION = "prediction"
SEED = 7
"""Of every sample: the same snapshots give the same report."""


class EmptyWindowError(NothingToDoError):
    """There is nothing to look at yet."""


@dataclass(frozen=True)
class NewestPredictions:
    """The newest predictions in a snapshot: one model's, about one snapshot."""

    model_version: int
    input_version: int
    rows: int
    values: pa.Table
    """A sample of the columns with what was said: `prediction`, or one for each target."""


def newest_predictions(
    lake: Lake,
    dataset: str,
    version: int,
    most: int,
    scratch: Path,
    columns: Sequence[str] = (PREDICTION,),
) -> NewestPredictions:
    """The predictions that were made last, of all that a snapshot holds.

    Args:
        lake: Where it lies.
        dataset: The dataset with predictions, `team.dataset`.
        version: Its snapshot.
        most: How many rows to draw at most.
        scratch: A folder that DuckDB may spill into.
        columns: The columns with what was said.

    Raises:
        EmptyWindowError: The snapshot has no rows.
    """
    with engine.connect(scratch) as connection:
        engine.create_view(connection, "predictions", lake.rows(dataset, version))
        newest = connection.sql(
            "select input_version, model_version, count(*) from predictions "
            "group by all order by all desc limit 1"
        ).fetchall()
        if not newest:
            raise EmptyWindowError(f"{dataset} version {version} has no predictions")
        input_version, model_version, rows = map(int, newest[0])
        listed = ", ".join(map(quote, columns))
        chosen = (
            f"(select {listed} from predictions "  # noqa: S608 - quoted names, two whole numbers
            f"where input_version = {input_version} and model_version = {model_version})"
        )
        values = _draw(connection, columns, chosen, most)
    return NewestPredictions(model_version, input_version, rows, values)


def sample(
    rows: pyarrow.dataset.Dataset, features: Sequence[str], most: int, scratch: Path
) -> pa.Table:
    """Features as models see them, of so many rows at most.

    Args:
        rows: Rows, with transforms applied.
        features: The columns that are compared.
        most: How many rows to draw at most.
        scratch: A folder that DuckDB may spill into.

    Raises:
        TerminalError: A feature is missing, or holds what no model can learn from.
    """
    require_columns(features, rows.schema.names, "features")
    if not features:
        return pa.table({})
    with engine.connect(scratch) as connection:
        engine.create_view(connection, "monitored", rows)
        return learnable(_draw(connection, features, "monitored", most), features)


def compared_features(
    reference: pa.Table, wanted: Sequence[str] | None, *, image: str | None
) -> tuple[tuple[str, ...], dict[str, str]]:
    """Which features are compared, and why the others are not.

    Args:
        reference: Features of the rows of the training.
        wanted: Those that the team names; all that can drift, where it names none.
        image: The column of images, if there is one.
    """
    if wanted is not None:
        return tuple(wanted), {}
    left_out: dict[str, str] = {}
    for field in reference.schema:
        if field.name == image:
            left_out[field.name] = "every image is another one"
        elif pa.types.is_timestamp(field.type):
            left_out[field.name] = "time always goes on"
        elif names_rows(field.name, reference.column(field.name).to_pandas().dropna()):
            left_out[field.name] = "its values tell rows apart: new rows have new ones"
    return tuple(name for name in reference.column_names if name not in left_out), left_out


def lengths(texts: "pd.Series[Any]") -> "pd.Series[Any]":
    """How many words each text has; NaN where there is none."""
    return texts.map(lambda text: len(str(text).split()), na_action="ignore").astype("float64")


def _draw(
    connection: DuckDBPyConnection, columns: Sequence[str], table: str, most: int
) -> pa.Table:
    # `table` has no conditions of its own beside it: DuckDB would apply them after the sample.
    # With several threads, the same seed draws other rows each time.
    connection.execute("set threads = 1")
    listed = ", ".join(map(quote, columns))
    drawn = connection.sql(
        f"select {listed} from {table} "  # noqa: S608 - quoted names and a whole number
        f"using sample reservoir({most} rows) repeatable ({SEED})"
    )
    table_drawn: pa.Table = drawn.to_arrow_table()
    return table_drawn
