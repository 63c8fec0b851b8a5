"""OpenLineage events that name the versions of datasets, not only the datasets."""

from collections.abc import Iterable, Mapping
from typing import Any

from airflow.providers.openlineage.extractors import OperatorLineage
from airflow.providers.openlineage.utils.utils import translate_airflow_asset
from airflow.sdk import Asset
from openlineage.client.event_v2 import Dataset
from openlineage.client.facet_v2 import dataset_version_dataset


def operator_lineage(snapshots: Mapping[str, list[dict[str, Any]]], task: Any) -> OperatorLineage:
    """The inputs and outputs of a task: its inlets and outlets, with the versions that are known.

    Args:
        snapshots: `inputs` and `outputs`, each a list of `{"dataset", "uri", "version"}`; `tables`, tables
            of databases that are written, each `{"namespace", "name"}`.
        task: The task, whose inlets and outlets are assets.
    """
    return OperatorLineage(
        inputs=_datasets(task.inlets, snapshots.get("inputs", ())),
        outputs=[
            *_datasets(task.outlets, snapshots.get("outputs", ())),
            *(Dataset(**table) for table in snapshots.get("tables", ())),
        ],
    )


def _datasets(assets: Iterable[Any], snapshots: Iterable[Mapping[str, Any]]) -> list[Dataset]:
    versions = {snapshot["uri"]: str(snapshot["version"]) for snapshot in snapshots}
    found = []
    for asset in assets:
        if not isinstance(asset, Asset) or not (dataset := translate_airflow_asset(asset, None)):
            continue
        version = versions.get(asset.uri)
        facets = (
            {"version": dataset_version_dataset.DatasetVersionDatasetFacet(datasetVersion=version)}
            if version is not None
            else {}
        )
        found.append(Dataset(namespace=dataset.namespace, name=dataset.name, facets=facets))
    return found
