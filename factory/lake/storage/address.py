"""Where data lies. Every path and address of the lake is made here, and nowhere else."""

from pathlib import Path
from urllib.parse import unquote, urlsplit


def resolve(storage: str, project: Path) -> str:
    """The storage as an address: folders become absolute `file://` URIs, others stay as they are.

    Args:
        storage: A folder (relative ones are below `project`) or an address such as `s3://b/lake`.
        project: The project's folder.
    """
    if "://" in storage:
        return storage.rstrip("/")
    return (project / storage).resolve().as_uri()


def is_s3(address: str) -> bool:
    """Whether an address is one of S3, or of what speaks as S3 does."""
    return address.startswith("s3://")


def dataset_uri(storage: str, dataset: str) -> str:
    """The address of the dataset `team.dataset`; also the URI of its Airflow asset.

    Args:
        storage: An address as `resolve` returns it.
        dataset: The full name, `team.dataset`.
    """
    team, name = dataset.split(".")
    return f"{storage}/{team}/{name}"


def local_path(address: str) -> Path | None:
    """The folder behind a `file://` address, or None when it lies elsewhere."""
    parts = urlsplit(address)
    return Path(unquote(parts.path)) if parts.scheme == "file" else None


def overlap(one: str, other: str) -> bool:
    """Whether one of two addresses lies within the other, or both are the same."""
    first, second = (f"{address.rstrip('/')}/" for address in (one, other))
    return bool(one and other) and (first.startswith(second) or second.startswith(first))
