"""The rows of each entity: found when a training runs, and divided as the rows of one model are."""

import logging
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset
from numpy.typing import NDArray

from factory.base.errors import TerminalError
from factory.base.texts import one_of
from factory.base.values import Result
from factory.data.columns import require_columns
from factory.models.entity_names import entity_model, entity_name
from factory.models.entity_texts import entity_texts
from factory.training.entities import Entities
from factory.training.entity_parts import EntityPart, EntityParts
from factory.training.model import Model
from factory.training.split import DividedRows, split

logger = logging.getLogger(__name__)

SPLIT = "split"

_SHOWN = 10


class FoundEntities(Result):
    """The entities of some rows; their names and rows lie in the workspace."""

    own: int
    """How many have enough rows for a model of their own."""
    few: int
    """How many others there are."""
    few_rows: int
    """How many rows these have."""
    unknown_rows: int
    """How many rows have no entity."""
    failed: int
    """How many of those with enough rows could not be divided."""
    has_fallback: bool


def split_entities(
    rows: pa.Table | pyarrow.dataset.Dataset, model: Model, workspace: Path, *, name: str
) -> FoundEntities:
    """Find the entities, and divide the rows of each, and those of the fallback, in a folder of its own.

    Which entities there are is kept in the workspace: see `EntityParts`.

    Args:
        rows: The model's input, transforms applied.
        model: The model's section of the team file.
        workspace: The run's scratch folder.
        name: The model's full name, `team.model`.

    Raises:
        TerminalError: A column is missing, there are more entities than `max`, none has enough rows and there is no
            fallback, or no rows can be divided.
    """
    entities = _entities(model)
    table = _needed(rows, model, entities)
    texts = entity_texts(table.column(entities.column))
    counts = _counts(texts, table.column(model.target))
    own = {entity: count for entity, count in counts.items() if count >= entities.min_rows}
    _check_number(own, counts, entities)
    has_fallback = entities.fallback == "all"
    parts = _parts(own, table.num_rows, name, has_fallback=has_fallback)
    EntityParts(parts).save(workspace)
    rows_of = _rows_of(texts, own)

    def divided(part: EntityPart) -> DividedRows:
        if part.entity is None:
            return split(table, model, part.folder(workspace))
        own_rows = table.take(rows_of[part.entity]).drop_columns([entities.column])
        return split(own_rows, model.for_entity, part.folder(workspace))

    EntityParts(parts).each(SPLIT, divided, workspace)
    few = {entity: count for entity, count in counts.items() if entity not in own}
    found = FoundEntities(
        own=len(own),
        few=len(few),
        few_rows=sum(few.values()),
        unknown_rows=texts.null_count,
        failed=sum(not one.has(SPLIT, workspace) for one in parts if one.entity is not None),
        has_fallback=has_fallback,
    )
    logger.info("Entities in %r: %s", entities.column, found)
    if few:
        logger.info("Fewer than %d rows have %s", entities.min_rows, one_of(few, most=_SHOWN))
    return found


def own_rows(rows: pa.Table | pyarrow.dataset.Dataset, column: str, entity: str) -> pa.Table:
    """The rows that an entity's own model learns from.

    Args:
        rows: The model's input, transforms applied.
        column: The column of the entities.
        entity: The value, as text.
    """
    table = rows if isinstance(rows, pa.Table) else rows.to_table()
    texts = entity_texts(table.column(column))
    return table.filter(pc.equal(texts, entity)).drop_columns([column])


def _entities(model: Model) -> Entities:
    if model.entities is None:
        raise ValueError("the model has no section `entities`")
    return model.entities


def _needed(rows: pa.Table | pyarrow.dataset.Dataset, model: Model, entities: Entities) -> pa.Table:
    """The columns in use."""
    names = rows.schema.names
    require_columns([entities.column], names, "entities.column")
    require_columns(model.target_columns, names, "target")
    wanted = names
    if model.features is not None:
        beside = (*model.target_columns, *model.columns_beside_features)
        used = (*model.features, *beside, entities.column)
        wanted = [one for one in names if one in used]
    return rows.select(wanted) if isinstance(rows, pa.Table) else rows.to_table(columns=wanted)


def _counts(texts: pa.ChunkedArray, target: pa.ChunkedArray) -> dict[str, int]:
    """How many rows with a target each entity has, those with most first."""
    known = texts.filter(pc.invert(pc.is_null(target, nan_is_null=True))).drop_null()
    counted = [(one["values"], one["counts"]) for one in pc.value_counts(known).to_pylist()]
    return dict(sorted(counted, key=lambda one: (-one[1], one[0])))


def _check_number(own: dict[str, int], counts: dict[str, int], entities: Entities) -> None:
    largest = one_of((f"{entity} ({rows:,})" for entity, rows in counts.items()), most=_SHOWN)
    if len(own) > entities.max:
        raise TerminalError(
            f"entities: {len(own):,} of the {len(counts):,} values of {entities.column!r} have "
            f"{entities.min_rows} rows or more, and `max` is {entities.max:,}. The largest, with their rows: "
            f"{largest}. Raise `max` or `min_rows`, or name a column with fewer values"
        )
    if not own and entities.fallback == "none":
        raise TerminalError(
            f"entities: none of the {len(counts):,} values of {entities.column!r} has {entities.min_rows} rows "
            f"(the largest, with their rows: {largest or 'there is none'}), and there is no fallback. Lower "
            "`min_rows`, or write `fallback: all`"
        )


def _parts(
    own: dict[str, int], rows: int, name: str, *, has_fallback: bool
) -> tuple[EntityPart, ...]:
    fallback = (EntityPart(entity=None, name="", model=name, rows=rows),) if has_fallback else ()
    return (
        *fallback,
        *(
            EntityPart(
                entity=entity,
                name=entity_name(entity),
                model=entity_model(name, entity),
                rows=count,
            )
            for entity, count in own.items()
        ),
    )


def _rows_of(texts: pa.ChunkedArray, own: dict[str, int]) -> dict[str, NDArray[np.int64]]:
    """The places of each entity's rows, those without a target too."""
    codes = pc.index_in(texts, pa.array(list(own), pa.string())).to_numpy(zero_copy_only=False)
    codes = np.nan_to_num(codes.astype(np.float64), nan=-1).astype(np.int64)
    order = np.argsort(codes, kind="stable")
    ends = np.searchsorted(codes[order], np.arange(len(own) + 1))
    return {entity: order[ends[at] : ends[at + 1]] for at, entity in enumerate(own)}
