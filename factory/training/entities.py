"""`entities`: one model for each value of a column, such as a store or a carrier."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Literal

from pydantic import Field
from pydantic_core import PydanticCustomError

from factory.base.findings import KeyPath
from factory.base.rules import Broken
from factory.base.section import NotTrained, Section, Text

MODEL_COLUMN = "model"
"""The column of predictions that says which registered model has answered."""


class Entities(Section):
    """One model for each value of a column, its entities; each has a champion of its own.

    Entities are found when a training runs. A value of the column with too few rows has no model of its own: the
    fallback answers for it.
    """

    column: Text = Field(examples=["carrier"])
    """The column whose values are the entities: texts, whole numbers, dates, true or false. Rows without a value are for
    the fallback only. It is no feature of an entity's own model, in which it never changes."""
    min_rows: Annotated[int, NotTrained()] = Field(default=100, ge=10, examples=[200])
    """How many rows with a target an entity needs for a model of its own."""
    fallback: Annotated[Literal["all", "none"], NotTrained()] = "all"
    """What answers for other entities. `all`: a model that learns from all rows, and is the registered model
    `<team>.<model>`. `none`: nothing; their predictions are null."""
    max: Annotated[int, NotTrained()] = Field(default=500, ge=1, le=1000)
    """The most entities that may have a model of their own; a training with more fails before anything is trained."""


def check_entities(
    entities: Entities,
    *,
    target: str | None,
    features: tuple[str, ...] | None,
    others: Mapping[str, str],
    named: Iterable[tuple[KeyPath, str]],
    unfit: Mapping[str, str],
) -> Broken:
    """What of a model's section does not go together with one model an entity.

    Args:
        entities: The section.
        target: The model's target.
        features: Its features, where they are written.
        others: Columns that have another part already, and which.
        named: The columns that preprocessing and promotion name, and where.
        unfit: Keys that are for one model only, and why.
    """
    column, at = entities.column, ("entities", "column")
    if column == target:
        yield _refused(column, "is the target", "name another column", at)
    elif column in others:
        yield _refused(column, f"is {others[column]}", "name another column", at)
    elif features == (column,):
        yield _refused(
            column, "is the only feature, and entities' own models do not have it", "add others", at
        )
    for place, name in named:
        if name == column:
            advice = "take it away: within an entity it never changes"
            yield _refused(column, "is no feature of entities' own models", advice, place)
    for key, why in unfit.items():
        yield PydanticCustomError(
            "together",
            "`{key}` and `entities` do not go together: {why}",
            {
                "key": key,
                "why": why,
                "advice": "take one of them away",
                "at": (key,),
                "on_key": True,
            },
        )


def _refused(column: str, what: str, advice: str, at: KeyPath) -> PydanticCustomError:
    return PydanticCustomError(
        "entities",
        "{column} {what}",
        {"column": repr(column), "what": what, "advice": advice, "at": at},
    )
