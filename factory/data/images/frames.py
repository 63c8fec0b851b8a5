"""Images for models: the bytes in place of their addresses, some at a time."""

from collections.abc import Iterator
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.dataset

from factory.base.parallel import in_order
from factory.data.columns import require_columns
from factory.data.images.store import UNREADABLE, ImageError, ImageStore, read_from
from factory.lake import engine
from factory.lake.table import Lake

BYTES = pa.large_binary()
"""The form of images that models are given: encoded, as they were published."""

_BATCH_BYTES = 32_000_000
_AT_ONCE = 8

_FRAME_TYPES = {BYTES: pd.ArrowDtype(BYTES)}


def with_bytes(
    rows: pa.Table | pyarrow.dataset.Dataset,
    column: str,
    lake: Lake | ImageStore,
) -> Iterator[pa.RecordBatch]:
    """The rows in their order with images' bytes in place of their addresses, in batches of some 32 MB.

    No more than a batch is held in memory, and a few images that are being fetched.

    Args:
        rows: Rows with a column of addresses.
        column: Its name.
        lake: Where the bytes lie; a store where this run has made some of them.

    Raises:
        ImageError: A row has no image, or one that cannot be read, or its bytes are gone.
        TamperedImageError: Bytes are not those that were published.
    """
    schema = rows.schema
    require_columns([column], schema.names, "images")
    place = schema.get_field_index(column)
    schema = schema.set(place, pa.field(column, BYTES))
    for batch in _batches(rows):
        addresses = _addresses(batch, column)
        start, size, found = 0, 0, list[bytes]()
        fetched = in_order(addresses, lambda address: _read(lake, address), at_once=_AT_ONCE)
        for number, (_, content) in enumerate(fetched, 1):
            found.append(content)
            size += len(content)
            if size >= _BATCH_BYTES or number == batch.num_rows:
                yield _replaced(batch.slice(start, len(found)), place, found, schema)
                start, size, found = number, 0, []


def bytes_schema(schema: pa.Schema, column: str) -> pa.Schema:
    """The schema that `with_bytes` gives rows of this schema."""
    return schema.set(schema.get_field_index(column), pa.field(column, BYTES))


def as_frame(table: pa.Table) -> pd.DataFrame:
    """Features as a DataFrame; images are not copied: `frame[column].iloc[i]` is `bytes`."""
    frame: pd.DataFrame = table.to_pandas(split_blocks=True, types_mapper=_FRAME_TYPES.get)
    return frame


def _batches(rows: pa.Table | pyarrow.dataset.Dataset) -> Iterator[pa.RecordBatch]:
    if isinstance(rows, pa.Table):
        return iter(rows.to_batches())
    return iter(rows.scanner(**engine.no_read_ahead()).to_batches())


def _addresses(batch: pa.RecordBatch, column: str) -> list[str]:
    addresses: list[Any] = batch.column(column).to_pylist()
    missing = sum(address is None for address in addresses)
    if missing:
        raise ImageError(
            f"{missing} rows have no image in {column!r}: take them out in a transform "
            f"(`where {column} is not null`)"
        )
    broken = [address for address in addresses if str(address).endswith(f".{UNREADABLE}")]
    if broken:
        raise ImageError(
            f"{len(broken)} images cannot be read, such as {broken[0]}: let a check `readable` "
            "find them, or take them out in a transform (`where format is not null`)"
        )
    return addresses


def _read(lake: Lake | ImageStore, address: str) -> bytes:
    return lake.read(address) if isinstance(lake, ImageStore) else read_from(lake, address)


def _replaced(
    batch: pa.RecordBatch, place: int, content: list[bytes], schema: pa.Schema
) -> pa.RecordBatch:
    columns = [*batch.columns]
    columns[place] = pa.array(content, BYTES)
    return pa.RecordBatch.from_arrays(columns, schema=schema)
