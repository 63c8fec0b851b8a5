"""Batch prediction with one model an entity: each row is answered by its entity's champion, else by the fallback's."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset
from numpy.typing import NDArray

from factory.base.texts import one_of
from factory.data.columns import require_columns
from factory.data.rows import Rows, write_pieces
from factory.models import registry
from factory.models.batch_prediction import PredictionForm, batches, of_no_rows, said_of
from factory.models.entity_texts import entity_texts
from factory.models.predictor import Predictor, load_predictor
from factory.models.tracking import Tracking
from factory.models.used_champions import UsedChampions
from factory.training.entities import MODEL_COLUMN

logger = logging.getLogger(__name__)

_KEPT = 64
"""How many loaded models are kept in memory, those used last."""
_SHOWN = 10


def loader(tracking: Tracking, kept: int = _KEPT) -> Callable[[str, int], Predictor]:
    """What loads a version when it is first asked for, and keeps those that were used last.

    Args:
        tracking: The MLflow server.
        kept: How many are kept.
    """

    @lru_cache(maxsize=kept)
    def load(model: str, number: int) -> Predictor:
        record = registry.version(model, number, tracking=tracking).record
        return load_predictor(record, tracking=tracking)

    return load


def predict_entities(
    rows: pyarrow.dataset.Dataset,
    champions: UsedChampions,
    column: str,
    form: PredictionForm,
    *,
    load: Callable[[str, int], Predictor],
    batch_rows: int,
    file: Path,
) -> Rows:
    """What the entities' champions say about rows, as one parquet file that appears only when it is whole.

    The columns are those of `batch_prediction.predict`, and `model`, the registered model that has answered. Where
    nothing answers, they are null but for those to keep and `input_version`. Rows stay in their order.

    Args:
        rows: The rows, as the models were trained on them.
        champions: Which versions answer.
        column: The column with the entity.
        form: What the predictions hold beside what the models say.
        load: See `loader`.
        batch_rows: How many rows are in memory at once.
        file: The file to make.

    Raises:
        TerminalError: A column is missing or of another form than a model learned from, or a model refuses the rows.
    """
    what = f"predictions by {column}"
    names = rows.schema.names
    require_columns([column], names, f"{what}: entities.column")
    require_columns(form.keep, names, f"{what}: keep")
    some = champions.fallback or next(iter(champions.by_entity.values()))
    answered: Counter[str] = Counter()

    def pieces() -> Iterator[pa.Table]:
        empty = _with_model(of_no_rows(rows.schema, load(*some), form), None)
        yield empty
        for batch in batches(rows, list(names), batch_rows):
            parts, places = [], []
            for version, at in _by_version(batch.column(column), champions):
                part = batch.take(at)
                places.append(at)
                answered[version[0] if version else "nothing"] += len(at)
                parts.append(_answer(part, version, empty.schema, form, load))
            order = np.argsort(np.concatenate(places), kind="stable")
            yield pa.concat_tables(parts, promote_options="permissive").take(order)

    predicted = write_pieces(pieces(), what, file)
    told = (f"{name} {count:,}" for name, count in answered.most_common())
    logger.info(
        "%s: %s rows; answered by: %s", what, f"{predicted.rows:,}", one_of(told, most=_SHOWN)
    )
    return predicted


def _by_version(
    values: pa.ChunkedArray, champions: UsedChampions
) -> Iterator[tuple[tuple[str, int] | None, NDArray[np.int64]]]:
    """The versions that answer for some rows, each with the places of its rows."""
    encoded = pc.dictionary_encode(entity_texts(values), null_encoding="encode")
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    entities = encoded.dictionary.to_pylist()
    codes = encoded.indices.to_numpy(zero_copy_only=False)
    places: dict[tuple[str, int] | None, list[int]] = {}
    for code, entity in enumerate(entities):
        places.setdefault(champions.of_entity(entity), []).append(code)
    for version, of_it in places.items():
        yield version, np.flatnonzero(np.isin(codes, of_it))


def _answer(
    rows: pa.Table,
    version: tuple[str, int] | None,
    schema: pa.Schema,
    form: PredictionForm,
    load: Callable[[str, int], Predictor],
) -> pa.Table:
    if version is None:
        return _without_answer(rows, schema, form)
    predictor = load(*version)
    require_columns(predictor.features, rows.column_names, f"{version[0]}: features")
    return _with_model(pa.concat_tables(said_of(rows, predictor, form)), version[0])


def _without_answer(rows: pa.Table, schema: pa.Schema, form: PredictionForm) -> pa.Table:
    known = {name: rows.column(name) for name in form.keep}
    known["input_version"] = pa.repeat(pa.scalar(form.input_version, pa.int64()), rows.num_rows)
    columns = {
        field.name: known.get(field.name, pa.nulls(rows.num_rows, field.type)) for field in schema
    }
    return pa.table(columns).cast(schema)


def _with_model(said: pa.Table, model: str | None) -> pa.Table:
    names = pa.nulls(said.num_rows, pa.string())
    if model is not None:
        names = pa.repeat(pa.scalar(model, pa.string()), said.num_rows)
    return said.append_column(MODEL_COLUMN, names)
