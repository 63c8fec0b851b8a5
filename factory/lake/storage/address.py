"""Where data lies. Every path and address of the lake is made here, and nowhere else."""

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from factory.base.texts import closest


def resolve(storage: str, project: Path) -> str:
    """The storage as an address: folders become absolute `file://` URIs, others stay as they are.

    Args:
        storage: A folder (relative ones are below `project`) or an address such as `s3://b/lake`.
        project: The project's folder.
    """
    if "://" in storage:
        return storage.rstrip("/")
    return (project / storage).resolve().as_uri()


SCHEMES = ("s3", "gs", "abfss", "abfs", "az", "azure", "adl", "file")
"""What addresses of the lake start with."""

_ADDRESS = re.compile(r"(?P<scheme>[A-Za-z0-9+.-]+)(?P<between>\s*[:;]\s*/*|/+)(?P<rest>.*)")


def misspelt(storage: str) -> str | None:
    """The address that is meant, where a storage is neither one nor likely the name of a folder."""
    match = _ADDRESS.fullmatch(storage.strip())
    if match is None:
        return None
    scheme, between, rest = match["scheme"].lower(), match["between"], match["rest"]
    if between.startswith("/"):
        # `s3/bucket` may be a folder, and `s3//bucket` is none.
        return f"{scheme}://{rest}" if scheme in SCHEMES and len(between) > 1 else None
    if between == "://" and match["scheme"] in SCHEMES:
        return None
    return f"{closest(scheme, SCHEMES) or 's3'}://{rest}"


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
