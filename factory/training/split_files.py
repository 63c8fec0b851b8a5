"""The parts of a split as files: written once, mapped into memory by every trial."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from factory.base.errors import TerminalError
from factory.base.files import whole_file
from factory.data.images.frames import as_frame

Part = Literal["train", "validation", "test"]
PARTS: tuple[Part, ...] = ("train", "validation", "test")


def write_part(rows: pa.Table, workspace: Path, part: Part) -> Path:
    """Store rows, the target last, as one uncompressed Arrow file; a reader never sees half of it.

    One record batch, so that a column without nulls is read without a copy.
    """
    return write_batches(rows.schema, rows.combine_chunks().to_batches(), workspace, part)


def write_batches(
    schema: pa.Schema, batches: Iterable[pa.RecordBatch], workspace: Path, part: Part
) -> Path:
    """Store rows as `write_part` does, as they come: they need not fit into memory."""
    file = _file(workspace, part)
    with (
        whole_file(file) as unfinished,
        pa.OSFile(str(unfinished), "wb") as sink,
        pa.ipc.new_file(sink, schema) as writer,
    ):
        for batch in batches:
            writer.write_batch(batch)
    return file


def read_part(
    workspace: Path, part: Part, rows: int | None = None
) -> tuple[pd.DataFrame, NDArray[Any]]:
    """The features and the target of a part, or of its first `rows` rows.

    Numbers and pictures are views of the file and must not be written to; a picture is `bytes`,
    encoded as it was published, and in memory only once it is asked for.

    Raises:
        TerminalError: The part is not in the workspace.
    """
    file = _file(workspace, part)
    try:
        with pa.memory_map(str(file)) as source:
            table = pa.ipc.open_file(source).read_all()
    except FileNotFoundError:
        raise TerminalError(
            f"the {part} rows are not in the workspace any more: clear the DAG run from `split` on"
        ) from None
    table = table if rows is None else table.slice(0, rows)
    features = as_frame(table.select(table.column_names[:-1]))
    return features, table.column(table.num_columns - 1).to_numpy()


def _file(workspace: Path, part: Part) -> Path:
    return workspace / "split" / f"{part}.arrow"
