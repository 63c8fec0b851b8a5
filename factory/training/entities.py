"""`entities`: one model for each value of a column, such as a store or a carrier."""

from typing import Annotated, Literal

from pydantic import Field

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
