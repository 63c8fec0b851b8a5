"""The two sides of a comparison: what a model was trained on, and what it meets now."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset
from duckdb import DuckDBPyConnection
from numpy.typing import NDArray

from factory.base.errors import NothingToDoError, TerminalError
from factory.data.columns import learnable, require_columns
from factory.data.roles import names_rows
from factory.lake import engine
from factory.lake.engine import quote
from factory.lake.table import Lake
from factory.training.entities import MODEL_COLUMN

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


@dataclass(frozen=True)
class EntityPredictions:
    """The newest predictions in a snapshot: those of one model an entity, about one snapshot."""

    input_version: int
    versions: dict[str, int]
    """The version of each registered model that has answered."""
    values: dict[str, pa.ChunkedArray]
    """A sample of the column `prediction`, by registered model."""


def newest_entity_predictions(
    lake: Lake, dataset: str, version: int, most: int, scratch: Path
) -> EntityPredictions:
    """The predictions that were made last, of all that a snapshot holds, by the model that has answered.

    Args:
        lake: Where it lies.
        dataset: The dataset with predictions, `team.dataset`.
        version: Its snapshot.
        most: How many rows of each model to draw at most.
        scratch: A folder that DuckDB may spill into.

    Raises:
        EmptyWindowError: No model has answered for any of its rows.
        TerminalError: It does not say which model has answered.
    """
    with engine.connect(scratch) as connection:
        engine.create_view(connection, "predictions", lake.rows(dataset, version))
        if MODEL_COLUMN not in connection.table("predictions").columns:
            raise TerminalError(
                f"{dataset} version {version} does not say which model has answered each row: it was made before "
                "`entities` was written. Run its DAG, and what it publishes is looked at"
            )
        newest = (
            "select input_version, model, max(model_version) as model_version from predictions "
            "where model is not null and input_version = (select max(input_version) from predictions) "
            "group by all"
        )
        found = connection.sql(newest).fetchall()
        if not found:
            raise EmptyWindowError(f"{dataset} version {version} has no predictions of any model")
        # With several threads, rows come in another order each time.
        connection.execute("set threads = 1")
        rows = connection.sql(
            "select model, prediction from predictions "  # noqa: S608 - a constant
            f"semi join ({newest}) as newest using (input_version, model, model_version)"
        ).to_arrow_table()
    values = {}
    for _, model, _ in found:
        places = np.flatnonzero(pc.equal(rows.column("model"), model).to_numpy())
        values[str(model)] = rows.column("prediction").take(some_of(places, most))
    return EntityPredictions(int(found[0][0]), {name: int(one) for _, name, one in found}, values)


def some_of(places: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """So many of the places of rows at most, drawn with a fixed seed, in their order."""
    if len(places) <= most:
        return places
    return np.sort(np.random.default_rng(SEED).choice(places, most, replace=False))


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
