"""Whose rows are whose: those of an entity are its own model's, and what is left is the fallback's."""

import pyarrow as pa
import pyarrow.dataset
import pytest

from factory.base.errors import TerminalError
from factory.models.record import ModelColumn
from factory.models.used_champions import UsedChampions
from factory.monitoring.entity_window import EntityRows, Owners
from factory.training.entities import Entities
from tests.models.records import record

STORE = Entities(column="store")
NORTH = record("shop.sold.north").model_copy(update={"entity": "north", "entity_column": "store"})
FALLBACK = record("shop.sold").model_copy(update={"entity_column": "store"})


def rows(*stores: str | int | None) -> EntityRows:
    table = pa.table({"store": pa.array(stores), "price": range(len(stores))})
    price = ModelColumn(name="price", type="double", nullable=False)
    priced = FALLBACK.model_copy(update={"inputs": (price,)})
    return EntityRows.of(pyarrow.dataset.dataset(table), [priced], STORE)


def owners(current: EntityRows, *answering: str) -> Owners:
    champions = UsedChampions(
        by_entity={"north": ("shop.sold.north", 1), "south": ("shop.sold.south", 2)},
        fallback=("shop.sold", 1),
    )
    return Owners("shop.sold", frozenset(answering), champions, frozenset(current.places))


def test_fallback_is_about_all_entities_that_no_model_of_their_own_answers_for():
    today = rows("north", "west", None, "north")
    found = owners(today, "shop.sold.north", "shop.sold")
    assert found.of(NORTH, today) == ("north",)
    assert found.of(FALLBACK, today) == ["west", None]
    side = today.side(found.of(FALLBACK, today), ["price"], 10)
    assert (side.table.column("price").to_pylist(), side.rows) == ([1, 2], 2)
    # In the training there were rows of the south, whose champion has nothing to answer for today.
    trained = rows("north", "south", "west", "east")
    assert found.of(FALLBACK, trained) == ["west", "east"]


def test_entity_whose_champion_is_newer_than_the_predictions_is_the_fallbacks():
    today = rows("south", "north")
    found = owners(today, "shop.sold.north", "shop.sold")
    assert found.of(FALLBACK, today) == ["south"]
    assert found.unanswered(today) == 0


def test_rows_that_nothing_answers_for_are_counted():
    today = rows("north", "west", None)
    assert owners(today, "shop.sold.north").unanswered(today) == 2


def test_samples_are_the_same_each_time_and_in_order():
    side = rows(*["north"] * 50).side(["north"], ["price"], 5)
    again = rows(*["north"] * 50).side(["north"], ["price"], 5)
    assert side.table.equals(again.table)
    assert (side.table.num_rows, side.rows) == (5, 50)
    prices = side.table.column("price").to_pylist()
    assert prices == sorted(prices)


def test_numbers_are_entities_by_their_texts():
    assert list(rows(7, None, 8).places) == ["7", "8", None]


def test_rows_without_the_column_are_refused():
    table = pyarrow.dataset.dataset(pa.table({"shop": ["north"], "price": [1]}))
    with pytest.raises(TerminalError, match=r"entities\.column: .*'store'"):
        EntityRows.of(table, [], STORE)
