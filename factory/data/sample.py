"""`factory run --sample`: sources give at most so many rows, into a lake that holds nothing else."""

import os

VARIABLE = "FACTORY_SAMPLE"
"""Set by `factory run` for its own processes: how many rows, and the address of the lake that they are for."""


def variable(rows: int, storage: str) -> str:
    """What `VARIABLE` is set to."""
    return f"{rows} {storage}"


def sample_rows(storage: str) -> int | None:
    """How many rows sources give at most; None where all are read, as for each lake but the sample's own.

    Args:
        storage: The address of the lake that is published to.
    """
    rows, _, lake = os.environ.get(VARIABLE, "").partition(" ")
    return int(rows) if rows and lake == storage else None


def is_sample() -> bool:
    """Whether this process works for a sample, of which nobody is told."""
    return bool(os.environ.get(VARIABLE))
