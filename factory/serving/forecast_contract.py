"""What a model that forecasts takes: the last values of series, and what is known of the future; it answers the horizon."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import pyarrow as pa
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel

from factory.base.errors import TerminalError
from factory.models.record import ModelColumn, ModelRecord
from factory.serving.contract import Contract, Row, contract_of, request_of, schema_of
from factory.training.forecasting.form import STEP, LagForm
from factory.training.forecasting.lag_table import after_the_end, forecast_times
from factory.training.forecasting.rows import asked_rows
from factory.training.forecasting.series import read_recent


@dataclass(frozen=True)
class ForecastContract:
    """What a request must hold, and how it becomes the rows that the model is asked about."""

    form: LagForm
    features: tuple[ModelColumn, ...]
    """The columns of a request's rows: those of the series, the time, the target and what is known."""
    outputs: tuple[str, ...]
    """The types of what is predicted."""
    request: type[BaseModel]
    """`{"rows": [{column: value, …}, …]}`."""
    _asked: Contract
    """Of the rows that the model itself takes."""
    example: list[Row] = field(default_factory=list)
    """None: the model was stored with rows that are made of series, and not with series."""

    def parse(self, body: bytes) -> list[Row]:
        """The rows that the model is asked about: one for each series and step.

        Raises:
            pydantic.ValidationError: The body is no JSON, or not what the model takes.
            RequestValidationError: The series are too short or irregular, or what must be known of the future is missing.
        """
        rows = self.request.model_validate_json(body).rows  # type: ignore[attr-defined]
        try:
            series = read_recent(pa.Table.from_pylist(rows, schema_of(self.features)), self.form)
            asked = after_the_end(series)
            made = asked_rows(series, asked)
        except TerminalError as error:
            found = {"type": "series", "loc": ["body", "rows"], "msg": str(error)}
            raise RequestValidationError([found]) from None
        times = [time.isoformat() for time in forecast_times(series, asked)]
        return [
            {**row, self.form.time: time}
            for row, time in zip(self.rows_of(made), times, strict=True)
        ]

    def is_one(self, body: bytes) -> bool:
        """Whether a body is one thing, to be answered without lists: series never are."""
        del body
        return False

    def rows_of(self, made: pd.DataFrame) -> list[Row]:
        """Rows that the model takes, as dictionaries."""
        nullable = made.astype(object).where(made.notna(), None)
        return [
            {str(name): value for name, value in row.items()} for row in nullable.to_dict("records")
        ]

    def frame(self, rows: Sequence[Row]) -> pd.DataFrame:
        """Rows as the model has seen them in training."""
        return self._asked.frame(rows)

    def keys(self, row: Row) -> dict[str, Any]:
        """What one of the rows that the model is asked about is a forecast of."""
        return {
            **{name: row[name] for name in self.form.series},
            self.form.time: row[self.form.time],
            STEP: int(row[STEP]),
        }


def forecast_contract_of(
    record: ModelRecord, form: LagForm, example: pd.DataFrame, most_rows: int
) -> ForecastContract:
    """The contract of a version that forecasts.

    Args:
        record: The version's.
        form: Its form.
        example: The version's input example.
        most_rows: Rows that one request may hold.

    Raises:
        UnfitVersionError: Its columns have types that rows in JSON cannot carry.
    """
    asked = contract_of(record, example, most_rows)
    known = [column for column in record.inputs if column.name in form.known]
    columns = (
        *(ModelColumn(name=name, type="string", nullable=False) for name in form.series),
        ModelColumn(name=form.time, type="datetime", nullable=False),
        ModelColumn(name=form.target, type="double", nullable=True),
        *known,
    )
    return ForecastContract(
        form=form,
        features=columns,
        outputs=record.outputs,
        request=request_of(record.model, columns, [], most_rows),
        _asked=asked,
    )
