"""The names of models that belong to one entity: `team.model.UA`."""

import re

from factory.base.digests import sha256

MODEL_OF_ENTITY = re.compile(r"[A-Za-z0-9_-]{1,80}")
"""The third part of the name of an entity's registered model."""

_LONGEST = 60


def entity_name(entity: str) -> str:
    """The entity as a part of a registered model's name, and as a folder's name.

    Letters, digits, `_` and `-` stay. Where others are replaced, or the text is cut, a digest of the entity is added.

    Args:
        entity: A value of the column, as text.
    """
    safe = re.sub(r"[^A-Za-z0-9_-]", "_", entity)[:_LONGEST]
    return entity if entity and safe == entity else f"{safe}-{sha256(entity)[:8]}"


def entity_model(model: str, entity: str) -> str:
    """The registered model of an entity; names of teams and models have no dots, so that it is unambiguous.

    Args:
        model: The full name, `team.model`.
        entity: A value of the column, as text.
    """
    return f"{model}.{entity_name(entity)}"


def is_model_of_entity(name: str, model: str) -> bool:
    """Whether a registered model is that of an entity of a model, `team.model`."""
    return name.startswith(f"{model}.") and bool(
        MODEL_OF_ENTITY.fullmatch(name.removeprefix(f"{model}."))
    )
