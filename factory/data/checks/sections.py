"""`checks`: what must be true of a dataset's rows before they are published, by dbt's names."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from factory.base.section import ListOf, Seconds, Section, Text

Scalar = bool | int | float | str


def _check_pattern(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise PydanticCustomError(
            "pattern", "not a regular expression: {why}", {"why": str(error)}
        ) from None
    return value


class _Check(Section):
    on_fail: Literal["halt", "warn"] = "halt"


class _Bounds(_Check):
    min: float | None = None
    max: float | None = None

    @model_validator(mode="after")
    def _some_bound(self) -> "_Bounds":
        if self.min is None and self.max is None:
            raise PydanticCustomError("bounds", "write `min`, `max` or both")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise PydanticCustomError(
                "bounds",
                "`min` {min} is above `max` {max}: no value can pass",
                {"min": f"{self.min:g}", "max": f"{self.max:g}"},
            )
        return self


class NotNull(_Check):
    """No value of these columns is null."""

    check: Literal["not_null"]
    columns: ListOf[Text] = Field(min_length=1)


class Unique(_Check):
    """No two rows have the same values in these columns, taken together."""

    check: Literal["unique"]
    columns: ListOf[Text] = Field(min_length=1)


class AcceptedValues(_Check):
    """Every value is one of these; nulls pass, as in dbt."""

    check: Literal["accepted_values"]
    column: Text
    values: ListOf[Scalar] = Field(min_length=1)


class Between(_Bounds):
    """Every value lies within the bounds, both included; nulls pass."""

    check: Literal["between"]
    column: Text


class Matches(_Check):
    """Every value contains a match of the pattern (anchor with ^ and $); nulls pass."""

    check: Literal["matches"]
    column: Text
    pattern: Annotated[str, AfterValidator(_check_pattern)]


class RowCount(_Bounds):
    """The number of rows lies within the bounds, both included."""

    check: Literal["row_count"]


class Freshness(_Check):
    """The newest value of a timestamp column is not older than `max_age`."""

    check: Literal["freshness"]
    column: Text
    max_age: Seconds


class Expression(_Check):
    """A SQL condition is true for every row."""

    check: Literal["expression"]
    expression: Text


class Readable(_Check):
    """Every picture can be decoded."""

    check: Literal["readable"]


class MinSize(_Check):
    """No picture is narrower or lower, in pixels; those that cannot be read pass."""

    check: Literal["min_size"]
    width: int | None = Field(default=None, ge=1)
    height: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _some_size(self) -> "MinSize":
        if self.width is None and self.height is None:
            raise PydanticCustomError("min_size", "write `width`, `height` or both, in pixels")
        return self


class LabelCount(_Bounds):
    """The number of rows of every label lies within the bounds, both included."""

    check: Literal["label_count"]
    column: Text = "label"


class Duplicate(_Check):
    """No picture is there twice, byte for byte."""

    check: Literal["duplicate"]


Check = Annotated[
    NotNull
    | Unique
    | AcceptedValues
    | Between
    | Matches
    | RowCount
    | Freshness
    | Expression
    | Readable
    | MinSize
    | LabelCount
    | Duplicate,
    Field(discriminator="check"),
]
