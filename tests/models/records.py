"""Records of versions, without a registry."""

from datetime import UTC, datetime
from typing import Any

from factory.models.record import ModelRecord


def record(model: str = "ecology.species", version: int = 1, **facts: Any) -> ModelRecord:
    """The record of a version that was registered long ago."""
    registered_at = datetime(2024, 1, 1, tzinfo=UTC)
    given = {"task": "classification", "registered_at": registered_at, **facts}
    return ModelRecord(model=model, version=version, **given)
