"""Columns as models see them: numbers, texts and points in time.

Whoever trains and whoever predicts must read a dataset the same way, so both come through here.
"""

from collections.abc import Iterable, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from factory.base.errors import TerminalError
from factory.base.texts import hint

TIME = pa.timestamp("us")
TEXT = pa.large_string()


def require_columns(wanted: Iterable[str], present: Sequence[str], role: str) -> None:
    """Raise a TerminalError that names each of the `wanted` columns that are not `present`.

    Args:
        wanted: Names of columns that are needed.
        present: Names of the columns that there are.
        role: What the columns are needed for, such as "target", for the message.
    """
    missing = [name for name in wanted if name not in present]
    if not missing:
        return
    findings = [f"{name!r}{hint(name, present)}" for name in missing]
    raise TerminalError(
        f"{role}: the rows have no column {', '.join(findings)}; "
        f"they have {', '.join(present) or 'none'}"
    )


def learnable(rows: pa.Table, names: Sequence[str]) -> pa.Table:
    """The named columns in the three forms that models are trained on.

    Numbers, booleans and durations (seconds) become float64 with NaN for null, so that they are
    read without a copy and a null that first turns up when predicting does not change a type.
    Texts and categories become strings, dates and timestamps become timestamps in UTC without a
    zone. A column without any value becomes float64.

    Raises:
        TerminalError: A column is missing, holds infinite numbers, or holds lists, structs, bytes.
    """
    require_columns(names, rows.column_names, "features")
    return pa.table({name: _learnable(name, rows.column(name)) for name in names})


def _learnable(name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or kind == pa.string_view():
        return column.cast(TEXT)
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return column.cast(pa.timestamp("us", tz=getattr(kind, "tz", None)), safe=False).cast(TIME)
    if pa.types.is_duration(kind):
        column = column.cast(pa.duration("us"), safe=False).cast(pa.int64())
        return pc.fill_null(pc.divide(column.cast(pa.float64(), safe=False), 1e6), float("nan"))
    if pa.types.is_time(kind):
        column = column.cast(pa.time64("us"), safe=False).cast(pa.int64())
        return pc.fill_null(pc.divide(column.cast(pa.float64(), safe=False), 1e6), float("nan"))
    if is_numeric(kind) or pa.types.is_boolean(kind) or pa.types.is_null(kind):
        return _numbers(name, column)
    raise TerminalError(
        f"features: column {name!r} is of type {kind}, which no model can learn from: "
        "list the columns to learn from under `features`, or unnest it in a transform"
    )


def _numbers(name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    numbers = column.cast(pa.float64(), safe=False)
    infinite = pc.sum(pc.is_inf(numbers)).as_py() or 0
    if infinite:
        raise TerminalError(
            f"features: column {name!r} holds {infinite} infinite values: replace them in a "
            f'transform, such as `case when isinf("{name}") then null else "{name}" end`'
        )
    return pc.fill_null(numbers, float("nan"))


def is_numeric(kind: pa.DataType) -> bool:
    """Whether values of this Arrow type are numbers; booleans are not."""
    return bool(
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    )
