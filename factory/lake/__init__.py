"""Datasets as versioned tables: snapshots, and how they come to be."""

from factory.lake.snapshot import (
    AlreadyAppendedError,
    LakeError,
    MergeKeyError,
    NoSnapshotError,
    Publication,
    SchemaMismatchError,
    Snapshot,
)
from factory.lake.table import Lake

__all__ = [
    "AlreadyAppendedError",
    "Lake",
    "LakeError",
    "MergeKeyError",
    "NoSnapshotError",
    "Publication",
    "SchemaMismatchError",
    "Snapshot",
]
