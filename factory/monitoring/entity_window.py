"""The rows of entities on one side of a window, and which model is about which of them."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset
from numpy.typing import NDArray

from factory.data.columns import learnable, require_columns
from factory.models.entity_names import entity_model
from factory.models.entity_texts import entity_texts
from factory.models.record import ModelRecord
from factory.models.used_champions import UsedChampions
from factory.monitoring.compared_rows import some_of
from factory.monitoring.comparison import Side
from factory.training.entities import Entities


@dataclass(frozen=True)
class EntityRows:
    """The rows of one side, the columns that are compared."""

    table: pa.Table
    column: str

    @classmethod
    def of(
        cls, rows: pyarrow.dataset.Dataset, records: Iterable[ModelRecord], entities: Entities
    ) -> "EntityRows":
        """Read the features of some versions, as far as there are such columns, and the entities."""
        names = rows.schema.names
        require_columns([entities.column], names, "entities.column")
        wanted = {entities.column, *(name for record in records for name in record.compared)}
        return cls(
            rows.to_table(columns=[name for name in names if name in wanted]), entities.column
        )

    @cached_property
    def places(self) -> dict[str | None, NDArray[np.int64]]:
        """The places of each entity's rows; None has those without one."""
        texts = pd.Series(entity_texts(self.table.column(self.column)).to_pylist(), dtype=object)
        grouped = texts.groupby(texts, sort=False).indices
        found: dict[str | None, NDArray[np.int64]] = {
            str(one): np.asarray(at) for one, at in grouped.items()
        }
        if (nobodys := np.flatnonzero(texts.isna())).size:
            found[None] = nobodys
        return found

    def side(self, entities: Collection[str | None], features: Collection[str], most: int) -> Side:
        """A sample of the rows of some entities, in the form that models learn from.

        Raises:
            TerminalError: A feature is missing, or holds what no model can learn from.
        """
        require_columns(features, self.table.column_names, "features")
        own = [self.places[one] for one in entities if one in self.places]
        places = np.sort(np.concatenate(own)) if own else np.empty(0, np.int64)
        table = self.table.select(list(features)).take(some_of(places, most))
        return Side(learnable(table, list(features)) if features else table, len(places))


@dataclass(frozen=True)
class Owners:
    """Which model is about the rows of which entities."""

    model: str
    answering: frozenset[str]
    """The registered models that answer for rows of the window."""
    champions: UsedChampions
    current: frozenset[str | None]
    """The entities that have rows in the window."""

    def of(self, record: ModelRecord, rows: EntityRows) -> Collection[str | None]:
        """The entities whose rows a version is about, of those that some rows have."""
        return self.others(rows) if record.entity is None else (record.entity,)

    def has_rows(self, record: ModelRecord, rows: EntityRows) -> bool:
        """Whether some of the rows are of its entities."""
        return any(one in rows.places for one in self.of(record, rows))

    def unanswered(self, rows: EntityRows) -> int:
        """How many rows there are for which nothing answers."""
        if self.model in self.answering:
            return 0
        return sum(len(rows.places[one]) for one in self.others(rows))

    def others(self, rows: EntityRows) -> list[str | None]:
        """The entities for which the fallback answers, or nothing.

        An entity with a champion that has no row today is none of them, though its model answers for none.
        """
        return [one for one in rows.places if not self._has_own(one)]

    def _has_own(self, entity: str | None) -> bool:
        if entity is None:
            return False
        if entity_model(self.model, entity) in self.answering:
            return True
        return entity in self.champions.by_entity and entity not in self.current
