"""The column that a model predicts: which rows have it, and whether it fits the task."""

import logging

import pyarrow as pa
import pyarrow.compute as pc

from factory.base.errors import TerminalError
from factory.data.columns import TEXT, is_numeric, require_columns
from factory.training.model import Model

logger = logging.getLogger(__name__)


def with_target(rows: pa.Table, model: Model) -> tuple[pa.Table, int]:
    """The rows whose target is known, the target made fit for the task, and how many rows fell out.

    Classes are strings, booleans or integers (whole floats become integers); a regression's
    target becomes float64. NaN counts as unknown.

    Raises:
        TerminalError: The target is missing, has no value at all, or does not fit the task.
    """
    require_columns([model.target], rows.column_names, "target")
    column = rows.column(model.target)
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    known = pc.is_valid(column)
    if pa.types.is_floating(column.type):
        known = pc.and_(known, pc.invert(pc.fill_null(pc.is_nan(column), fill_value=True)))
    place = rows.column_names.index(model.target)
    kept = rows.set_column(place, model.target, column).filter(known)
    dropped = rows.num_rows - kept.num_rows
    if dropped:
        logger.warning(
            "%d of %d rows have no %r and are left out", dropped, rows.num_rows, model.target
        )
    if kept.num_rows == 0:
        raise TerminalError(
            f"target: none of the {rows.num_rows} rows has a value in {model.target!r}"
        )
    fit_for_task = _classes if model.task == "classification" else _numbers
    target = fit_for_task(model.target, kept.column(model.target))
    return kept.set_column(place, model.target, target), dropped


def _classes(name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_floating(column.type) or pa.types.is_decimal(column.type):
        numbers = column.cast(pa.float64(), safe=False)
        if not pc.all(pc.equal(numbers, pc.floor(numbers))).as_py():
            raise TerminalError(
                f"target: {name!r} holds fractions, which are not classes: "
                "use `task: regression`, or group them into classes in a transform"
            )
        column = numbers.cast(pa.int64())
    elif not (pa.types.is_integer(column.type) or pa.types.is_boolean(column.type)):
        column = _texts(name, column)
    classes = pc.count_distinct(column).as_py()
    if classes < 2:
        raise TerminalError(
            f"target: {name!r} has only the class {column[0].as_py()!r}: "
            "there is nothing to tell apart"
        )
    return column


def _texts(name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    try:
        return column.cast(TEXT)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise TerminalError(
            f"target: {name!r} is of type {column.type}, which cannot be a class: "
            "use a column of strings, integers or booleans"
        ) from None


def _numbers(name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    if not is_numeric(column.type):
        raise TerminalError(
            f"target: {name!r} is of type {column.type}, and a regression predicts numbers: "
            "use `task: classification`, or cast it in a transform"
        )
    numbers = column.cast(pa.float64(), safe=False)
    infinite = pc.sum(pc.is_inf(numbers)).as_py()
    if infinite:
        raise TerminalError(
            f"target: {name!r} holds {infinite} infinite values: take these rows out in a transform"
        )
    return numbers
