"""What is known of the rows of a part beside their features: what metrics, baselines and pictures ask for.

It lies beside the part in the workspace, one value a row; of most tasks of learning there is nothing.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.feather
from numpy.typing import NDArray

from factory.base.files import whole_file
from factory.training.division import Part

About = Mapping[str, NDArray[Any]]
"""One value a row in each array, by name."""


def write_about(about: About, workspace: Path, part: Part) -> None:
    """Store what is known of a part's rows; a reader never sees half of it."""
    file = about_file(workspace, part)
    file.parent.mkdir(parents=True, exist_ok=True)
    table = pa.table({name: pa.array(values) for name, values in about.items()})
    with whole_file(file) as unfinished:
        pyarrow.feather.write_feather(table, str(unfinished), compression="uncompressed")


def read_about(workspace: Path, part: Part) -> About:
    """What `write_about` stored; nothing where it stored nothing."""
    file = about_file(workspace, part)
    if not file.exists():
        return {}
    table = pyarrow.feather.read_table(str(file))
    return {name: table.column(name).to_numpy() for name in table.column_names}


def about_file(workspace: Path, part: Part) -> Path:
    """Where it lies: below the split's folder, which is what a job gets."""
    return workspace / "split" / f"{part}.about.arrow"
