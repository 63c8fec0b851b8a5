"""The rows that a model learns from."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow.dataset

from factory.data.folders import DataFolders
from factory.data.images.store import ImageStore
from factory.data.sources.dataset import DatasetSource
from factory.data.sources.source import IngestContext
from factory.data.transforms.run import transform
from factory.data.transforms.transform import Transform
from factory.lake.table import Lake


def model_rows(
    datasets: Sequence[str],
    transforms: Sequence[Transform],
    *,
    workspace: Path,
    lake: Lake,
    versions: Mapping[str, int],
) -> pyarrow.dataset.Dataset:
    """The first dataset's rows after the model's transforms, read when they are asked for.

    Args:
        datasets: Full names; the first is `source` in the transforms.
        transforms: SQL transforms have their text in `query`.
        workspace: The run's scratch folder.
        lake: Where the snapshots lie.
        versions: The version to read, of every dataset.
    """
    first = datasets[0]
    if not transforms:
        return lake.scan(first, versions[first])
    store = model_images(datasets, workspace=workspace, lake=lake)
    context = IngestContext(
        DataFolders(workspace, ()), workspace, store.team, lake, versions=versions
    )
    rows = DatasetSource(type="dataset", dataset=first).ingest(context)
    changed = transform(
        transforms, rows, workspace=workspace, lake=lake, versions=versions, team=store.team
    )
    return pyarrow.dataset.dataset(changed.file)


def model_images(datasets: Sequence[str], *, workspace: Path, lake: Lake) -> ImageStore:
    """The images that the rows of `model_rows` name: those of the lake, and what transforms made.

    Args:
        datasets: As for `model_rows`.
        workspace: As for `model_rows`.
        lake: As for `model_rows`.
    """
    return ImageStore(workspace, datasets[0].partition(".")[0], lake)
