"""The registered models of a model's entities: which there are, and which of their versions is in production."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from mlflow.entities.model_registry import RegisteredModel

from factory.models import registry
from factory.models.entity_names import is_model_of_entity
from factory.models.registry import CHAMPION, NoChampionError, Version
from factory.models.tracking import Tracking
from factory.models.training_run import ENTITY

_MODELS_A_PAGE = 1000
_VERSIONS_A_PAGE = 1000
_NEWEST = 20


@dataclass(frozen=True)
class EntityModel:
    """The registered model of an entity."""

    entity: str
    """The value of the column, as text."""
    model: str
    """`team.model.UA`."""
    champion: int | None
    """The version in production."""


def entity_models(model: str, *, tracking: Tracking) -> list[EntityModel]:
    """The registered models of a model's entities, by entity; few questions however many there are.

    Args:
        model: The full name, `team.model`.
        tracking: The MLflow server.

    Raises:
        TrackingError: The MLflow server does not answer.
    """
    found = [
        EntityModel(one.tags[ENTITY], one.name, _champion(one.aliases))
        for one in _registered_below(model, tracking)
        if ENTITY in one.tags
    ]
    return sorted(found, key=lambda one: one.entity)


def _champion(aliases: Mapping[str, str]) -> int | None:
    number = aliases.get(CHAMPION)
    return None if number is None else int(number)


def _registered_below(model: str, tracking: Tracking) -> list[RegisteredModel]:
    found: list[RegisteredModel] = []
    token: str | None = None
    with tracking.asked() as client:
        while True:
            page = client.search_registered_models(
                f"name LIKE '{model}.%'", max_results=_MODELS_A_PAGE, page_token=token
            )
            # In LIKE, `_` is any letter.
            found += [one for one in page if is_model_of_entity(one.name, model)]
            if not (token := page.token):
                return found


def champion_versions(model: str, *, tracking: Tracking) -> list[Version]:
    """The versions of entities' models that are in production, by entity; few questions however many there are.

    Args:
        model: The full name, `team.model`.
        tracking: The MLflow server.

    Raises:
        TrackingError: The MLflow server does not answer.
    """
    known = entity_models(model, tracking=tracking)
    numbers = {one.model: one.champion for one in known if one.champion is not None}
    found = versions_of_entities(model, numbers, tracking=tracking)
    return [replace(one, aliases=(CHAMPION,)) for one in found]


def versions_of_entities(
    model: str, numbers: Mapping[str, int], *, tracking: Tracking
) -> list[Version]:
    """Versions of entities' models, by entity, without their aliases; few questions however many there are.

    Args:
        model: The full name, `team.model`.
        numbers: The version that is wanted of each registered model.
        tracking: The MLflow server.

    Raises:
        TrackingError: The MLflow server does not answer.
    """
    with tracking.asked() as client:
        found: list[Version] = []
        token: str | None = None
        while True:
            page = client.search_model_versions(
                f"name LIKE '{model}.%'", max_results=_VERSIONS_A_PAGE, page_token=token
            )
            found += [
                registry.as_version(client, one, {})
                for one in page
                if numbers.get(one.name) == int(one.version)
            ]
            if not (token := page.token):
                return sorted(found, key=lambda one: one.record.entity or "")


def worst_first(versions: Iterable[Version]) -> list[Version]:
    """Champions by the objective's score on the test rows of each, the worst first; unknown ones last."""
    return sorted(versions, key=_badness)


def _badness(version: Version) -> tuple[bool, float]:
    goal, _, metric = version.tags.get("gate_metric", "").partition(" ")
    score = version.record.metrics.get(metric)
    if score is None:
        return True, 0.0
    return False, -score if goal == "minimize" else score


def newest_version(model: str, *, tracking: Tracking) -> Version | None:
    """The version that was registered last, of any entity or of the fallback; None as long as there is none.

    Raises:
        TrackingError: The MLflow server does not answer.
    """
    with tracking.asked() as client:
        found = client.search_model_versions(
            f"name LIKE '{model}.%'", max_results=_NEWEST, order_by=["creation_timestamp DESC"]
        )
        own = [
            registry.as_version(client, one) for one in found if is_model_of_entity(one.name, model)
        ]
    fallback = registry.newest(model, tracking=tracking)
    versions = [*own[:1], *([fallback] if fallback else [])]
    return max(versions, key=lambda one: one.record.registered_at, default=None)


@dataclass(frozen=True)
class EntityChampions:
    """The versions in production when a run of predictions begins."""

    by_entity: Mapping[str, tuple[str, int]]
    """The registered model and its version, by entity."""
    fallback: tuple[str, int] | None
    """Those that answer for other entities."""


def champions_to_use(model: str, *, has_fallback: bool, tracking: Tracking) -> EntityChampions:
    """The versions in production now.

    Args:
        model: The full name, `team.model`.
        has_fallback: Whether the model that learned from all rows answers for other entities.
        tracking: The MLflow server.

    Raises:
        NoChampionError: No version of any entity, nor of the fallback, is in production.
        TrackingError: The MLflow server does not answer.
    """
    known = entity_models(model, tracking=tracking)
    by_entity = {one.entity: (one.model, one.champion) for one in known if one.champion is not None}
    found = registry.champion(model, tracking=tracking) if has_fallback else None
    if not by_entity and found is None:
        raise NoChampionError(
            f"{model} has no champion of any entity, so there is nothing to predict with. Run the DAG "
            f"{model}.train; when it promotes versions, predict again"
        )
    return EntityChampions(by_entity, None if found is None else (model, found.number))
