"""The parts of a split as files: written once, mapped into memory by every trial."""

import os
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from factory.errors import TerminalError

Part = Literal["train", "validation", "test"]
PARTS: tuple[Part, ...] = ("train", "validation", "test")


def write_part(rows: pa.Table, workspace: Path, part: Part) -> Path:
    """Store rows, the target last, as one uncompressed Arrow file; a reader never sees half of it.

    One record batch, so that a column without nulls is read without a copy.
    """
    file = _file(workspace, part)
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = file.with_suffix(f".{os.getpid()}")
    with pa.OSFile(str(unfinished), "wb") as sink, pa.ipc.new_file(sink, rows.schema) as writer:
        writer.write_table(rows.combine_chunks())
    unfinished.replace(file)
    return file


def read_part(
    workspace: Path, part: Part, rows: int | None = None
) -> tuple[pd.DataFrame, NDArray[Any]]:
    """The features and the target of a part, or of its first `rows` rows.

    Numbers are views of the file and must not be written to.

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
    features = table.select(table.column_names[:-1]).to_pandas(split_blocks=True)
    return features, table.column(table.num_columns - 1).to_numpy()


def _file(workspace: Path, part: Part) -> Path:
    return workspace / "split" / f"{part}.arrow"
