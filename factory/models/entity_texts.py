"""The entities of rows, as the texts that models are named and found by."""

import pyarrow as pa
import pyarrow.compute as pc

from factory.base.errors import TerminalError


def entity_texts(values: pa.ChunkedArray | pa.Array) -> pa.ChunkedArray | pa.Array:
    """The entities of rows as texts; null where a row has none. A whole number is the same whatever its type is.

    Args:
        values: The column of the entities.

    Raises:
        TerminalError: It holds what has no text, such as lists.
    """
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if pa.types.is_nested(values.type) or pa.types.is_binary(values.type):
        raise TerminalError(
            f"entities.column: its values are {values.type}: name a column of texts, numbers or dates"
        )
    if not (pa.types.is_floating(values.type) or pa.types.is_decimal(values.type)):
        return values.cast(pa.string())
    numbers = values.cast(pa.float64())
    numbers = pc.if_else(pc.is_finite(numbers), numbers, None)
    is_whole = pc.and_(pc.equal(pc.floor(numbers), numbers), pc.less(pc.abs(numbers), 2.0**53))
    whole = pc.cast(pc.if_else(is_whole, numbers, None), pa.int64())
    return pc.coalesce(whole.cast(pa.string()), numbers.cast(pa.string()))
