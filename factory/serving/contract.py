"""What a model takes, as a pydantic model made from the columns of its record.

Rows are dictionaries, not objects: a feature may have any name, such as `petal length (cm)` or
`class`, and a thousand rows are read by compiled code alone.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

import pandas as pd
import pyarrow as pa
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
    WithJsonSchema,
    create_model,
)
from pydantic.config import JsonDict
from pydantic_core import PydanticKnownError

# Python's own is read by pydantic from 3.12 on.
from typing_extensions import TypedDict

from factory.data.columns import TEXT, TIME, learnable
from factory.models.record import ModelColumn, ModelRecord
from factory.serving.refusals import UnfitVersionError

Row = dict[str, Any]
"""A value for each feature; numbers, texts, booleans, points in time without a zone, or None."""

_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")

# For whoever checks types, it takes literals only.
_typed_dict: Any = TypedDict

_STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


@dataclass(frozen=True)
class Contract:
    """What a request must hold, and how it becomes a table."""

    features: tuple[ModelColumn, ...]
    outputs: tuple[str, ...]
    """The types of what is predicted."""
    request: type[BaseModel]
    """`{"rows": [{feature: value, …}, …]}`."""
    example: list[Row]
    """Rows that the model takes, as JSON has them."""
    _schema: pa.Schema

    def parse(self, body: bytes) -> list[Row]:
        """The rows of a request.

        Raises:
            pydantic.ValidationError: The body is no JSON, or not what the model takes.
        """
        rows: list[Row] = self.request.model_validate_json(body).rows  # type: ignore[attr-defined]
        return rows

    def is_one(self, body: bytes) -> bool:
        """Whether a body is one thing, to be answered without lists: rows never are."""
        del body
        return False

    def frame(self, rows: Sequence[Row]) -> pd.DataFrame:
        """Rows as the model has seen them in training."""
        table = pa.Table.from_pylist(rows, schema=self._schema)
        frame: pd.DataFrame = learnable(table, self._schema.names).to_pandas(split_blocks=True)
        return frame


def contract_of(record: ModelRecord, example: pd.DataFrame, most_rows: int) -> Contract:
    """The contract of a version.

    Args:
        record: The version's.
        example: The version's input example.
        most_rows: Rows that one request may hold.

    Raises:
        UnfitVersionError: Its columns have types that rows in JSON cannot carry.
    """
    if not record.inputs:
        raise UnfitVersionError("its signature names no columns")
    if any(column.type not in _PYTHON for column in record.inputs):
        raise UnfitVersionError("its signature has a type that rows in JSON cannot carry")
    shown = example_rows(example)
    return Contract(
        features=record.inputs,
        outputs=record.outputs,
        request=request_of(record.model, record.inputs, shown, most_rows),
        example=shown,
        _schema=schema_of(record.inputs),
    )


def request_of(
    model: str, columns: Sequence[ModelColumn], shown: Sequence[Row], most_rows: int
) -> type[BaseModel]:
    """What a request's body must hold: `{"rows": [{column: value, …}, …]}`.

    Args:
        model: The model's name.
        columns: Those of each row.
        shown: Rows as examples.
        most_rows: Rows that one request may hold.
    """
    name = _title(model)
    row: Any = _typed_dict(f"{name}Row", {each.name: _annotation(each, shown) for each in columns})
    row.__pydantic_config__ = _STRICT
    examples = _shown(shown) if shown else {}
    return create_model(
        f"{name}Request",
        __config__=ConfigDict(**_STRICT, json_schema_extra=examples),
        rows=(Annotated[list[row], Field(min_length=1, max_length=most_rows)], ...),
    )


def schema_of(columns: Sequence[ModelColumn]) -> pa.Schema:
    """The types of rows that a request has brought."""
    return pa.schema([(each.name, _ARROW[each.type]) for each in columns])


def _title(model: str) -> str:
    """What a model's schemas are called in OpenAPI."""
    return "".join(part.capitalize() for part in model.replace(".", "_").split("_"))


def example_rows(example: pd.DataFrame) -> list[Row]:
    """An input example as rows that a request may hold: null for NaN, points in time in ISO 8601."""
    text = example.to_json(orient="records", date_format="iso", double_precision=15)
    rows: list[Row] = json.loads(text)
    return rows


def _shown(rows: Sequence[Row]) -> JsonDict:
    return {"examples": [{"rows": list(rows)}]}


def _annotation(feature: ModelColumn, shown: Sequence[Row]) -> Any:
    kind: Any = _PYTHON[feature.type]
    if feature.nullable:
        kind = kind | None
    known = [row[feature.name] for row in shown if row.get(feature.name) is not None]
    return Annotated[kind, Field(title=feature.name, examples=known[:1] or None)]


def _iso_text(value: Any) -> str:
    """The text of a point in time; numbers, which may count anything, are none."""
    if not isinstance(value, str) or not _ISO_DATE.match(value):
        raise PydanticKnownError("datetime_type")
    return value


def _without_zone(value: datetime) -> datetime:
    """In UTC, where training has put it."""
    try:
        return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
    except OverflowError:
        raise ValueError("too far from today in UTC") from None


_Time = Annotated[
    datetime,
    # Otherwise only instances pass, now that its text has been looked at.
    Strict(strict=False),
    BeforeValidator(_iso_text),
    AfterValidator(_without_zone),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
_Int = Annotated[int, Field(ge=-(2**31), lt=2**31)]
_Long = Annotated[int, Field(ge=-(2**63), lt=2**63)]

_PYTHON: dict[str, Any] = {
    "double": float,
    "float": float,
    "long": _Long,
    "integer": _Int,
    "boolean": bool,
    "string": str,
    "datetime": _Time,
}
_ARROW = {
    "double": pa.float64(),
    "float": pa.float64(),
    "long": pa.int64(),
    "integer": pa.int64(),
    "boolean": pa.bool_(),
    "string": TEXT,
    "datetime": TIME,
}
