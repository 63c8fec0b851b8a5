"""The models of a service and which version of each answers: read by requests, written by the follower."""

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType

from factory.serving.entity_answers import ServedEntities
from factory.serving.loading import LoadedVersion


@dataclass(frozen=True)
class Refusal:
    """A version that is in production, and that this service will not answer with."""

    version: int
    reason: str
    at: datetime
    attempts: int
    again: float | None
    """When to try again, in seconds of the monotonic clock; None for never."""


@dataclass(frozen=True)
class ServedModel:
    """One model at one moment; a request that has got hold of one keeps it to its end."""

    name: str
    served: LoadedVersion | None = None
    champion: int | None = None
    """The version in production when the registry was last asked."""
    refusal: Refusal | None = None
    by_entity: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    """The version in production of each entity's own model, when the registry was last asked."""
    entity_column: str | None = None
    """The column of the entities; None where one model answers for all rows."""
    entities: ServedEntities | None = None
    """What answers, where there is a model for each entity; `served` is the fallback then."""

    @property
    def answers(self) -> bool:
        """Whether there is a version that answers."""
        return self.served is not None or self.entities is not None

    @property
    def pending(self) -> bool:
        """Whether there is a version in production that has not been tried yet."""
        return self.served is None and self.champion is not None and self.refusal is None


@dataclass
class ServedModels:
    """All models of a service.

    Each change replaces the mapping, so that a reader needs no lock and never sees half a change.
    """

    _all: Mapping[str, ServedModel] = field(default_factory=lambda: MappingProxyType({}))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def named(cls, names: Iterable[str]) -> "ServedModels":
        """Models of which nothing but the names is known yet."""
        models = cls()
        for name in names:
            models.update(name)
        return models

    def get(self, name: str) -> ServedModel | None:
        """One model."""
        return self._all.get(name)

    def all(self) -> list[ServedModel]:
        """All models, by name."""
        return [self._all[name] for name in sorted(self._all)]

    def update(self, name: str, **changes: object) -> ServedModel:
        """Change what is known of a model, at once for all readers; the model as it is now."""
        with self._lock:
            model = replace(self._all.get(name) or ServedModel(name), **changes)  # type: ignore[arg-type]
            self._all = MappingProxyType({**self._all, name: model})
        return model

    @property
    def ready(self) -> bool:
        """Whether some model answers, and all that are in production have been tried."""
        known = self.all()
        return any(model.answers for model in known) and not any(model.pending for model in known)
