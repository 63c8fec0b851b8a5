"""Follow the champions: ask the registry every few seconds, load what is new, swap when it answers."""

import logging
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from factory.base.errors import TerminalError
from factory.base.section import NAME
from factory.models import registry
from factory.models.registry import CHAMPION
from factory.models.tracking import Tracking, TrackingError
from factory.models.training_run import ENTITY
from factory.models.used_champions import UsedChampions
from factory.serving.entity_answers import ServedEntities
from factory.serving.entity_versions import EntityVersions
from factory.serving.limits import ServingLimits
from factory.serving.load_check import check_version
from factory.serving.loading import LoadedVersion, load
from factory.serving.metrics import ServingMetrics
from factory.serving.refusals import public_reason
from factory.serving.served_models import Refusal, ServedModel, ServedModels

logger = logging.getLogger(__name__)

_LOADS_AT_ONCE = 2
_FIRST_PAUSE = 2.0
_LONGEST_PAUSE = 300.0
_MODELS_A_PAGE = 1000
_LONGEST_POLL_PAUSE = 20.0
_PAUSE_OF_TIME = 4.0
"""For how many times as long as a question took nothing is asked: a registry of a thousand models takes seconds."""


@dataclass(frozen=True)
class InProduction:
    """What of a model is in production, by the registry."""

    champion: int | None = None
    """The version; of a model with entities, of its fallback."""
    by_entity: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    """The registered model and its version, by entity."""


class ChampionWatcher:
    """One thread asks the registry, two load versions; requests wait for none of them.

    Args:
        tracking: The MLflow server.
        models: What to keep up to date. If it names no model, all that have a champion are added.
        metrics: Where versions and failures are counted.
        settings: How often to ask, and how many rows a request may hold.
    """

    def __init__(
        self,
        tracking: Tracking,
        models: ServedModels,
        metrics: ServingMetrics,
        settings: ServingLimits,
    ) -> None:
        self._tracking = tracking
        self._models = models
        self._metrics = metrics
        self._settings = settings
        self._named = frozenset(model.name for model in models.all())
        self._entity_versions = EntityVersions(tracking, metrics, settings)
        self._missing: frozenset[str] = frozenset()
        self._loading: set[str] = set()
        self._to_read_again: set[str] = set()
        self._stopped = threading.Event()
        self._loaders = ThreadPoolExecutor(_LOADS_AT_ONCE, thread_name_prefix="load")
        self._thread = threading.Thread(target=self._follow, name="follow", daemon=True)
        self.registry_answers: bool | None = None
        """Whether the registry answered when it was last asked; None before that."""

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def stop(self) -> None:
        """Ask no more; what is being loaded is not waited for."""
        self._stopped.set()
        self._loaders.shutdown(wait=False, cancel_futures=True)

    def _follow(self) -> None:
        while not self._stopped.is_set():
            began, pause = time.monotonic(), self._settings.poll_seconds
            try:
                self._poll()
            except TrackingError as error:
                self._lost(str(error))
            # A follower that ended would leave every model at its version for good.
            except Exception as error:
                if self._stopped.is_set():
                    return
                logger.exception("Following the champions failed")
                self._lost(repr(error))
            else:
                self._found()
                took = time.monotonic() - began
                pause = max(pause, min(_PAUSE_OF_TIME * took, _LONGEST_POLL_PAUSE))
            self._stopped.wait(pause)

    def _lost(self, why: str) -> None:
        self._metrics.failed_polls.inc()
        if self.registry_answers is not False:
            logger.warning("The versions at hand go on answering: %s", why)
        self.registry_answers = False

    def _found(self) -> None:
        if self.registry_answers is False:
            logger.info("The model registry answers again")
        self.registry_answers = True

    def _poll(self) -> None:
        found = champions(self._tracking)
        known = self._named or {model.name for model in self._models.all()} | found.keys()
        self._say_missing(known - found.keys())
        for name in sorted(known):
            model = self._seen(name, found.get(name, InProduction()))
            self._serve_entities(name)
            if name in self._loading:
                continue
            if _is_due(model):
                self._loading.add(name)
                self._loaders.submit(self._load, name, model)
            elif name in self._to_read_again:
                self._read_again(name)

    def _read_again(self, name: str) -> None:
        """Read a version's tags once more: who promotes it tags it after it has the alias."""
        version = registry.champion(name, tracking=self._tracking)
        model = self._models.get(name)
        self._to_read_again.discard(name)
        if version and model and model.served and model.served.version.number == version.number:
            self._models.update(name, served=replace(model.served, version=version))

    def _say_missing(self, names: frozenset[str] | set[str]) -> None:
        for name in sorted(names - self._missing):
            logger.warning("%s has no champion in the registry", name)
        self._missing = frozenset(names)

    def _seen(self, name: str, found: InProduction) -> ServedModel:
        """Note which versions are in production; what was refused before is forgotten."""
        before = self._models.get(name) or ServedModel(name)
        # None of many is more often an accident.
        by_entity = found.by_entity or before.by_entity
        if before.by_entity != by_entity or (by_entity and before.champion != found.champion):
            try:
                column = self._entity_column(name, found.champion, by_entity)
            except (TerminalError, ValueError):
                # Other models are followed all the same.
                logger.exception("%s: the column of its entities cannot be told", name)
                return before
            self._models.update(name, by_entity=by_entity, entity_column=column)
        if (now := self._models.get(name)) is not None and before.champion == found.champion:
            return now
        # From 0 on, or nobody can be warned of the first one.
        self._metrics.failed_loads.labels(name)
        return self._models.update(name, champion=found.champion, refusal=None)

    def _entity_column(
        self, name: str, champion: int | None, by_entity: Mapping[str, tuple[str, int]]
    ) -> str | None:
        """The column of the entities; None where the champion answers for all rows, and others are left over."""
        model, number = (name, champion) if champion else next(iter(by_entity.values()))
        return registry.version(model, number, tracking=self._tracking).record.entity_column

    def _serve_entities(self, name: str) -> None:
        """Let the entities' versions answer that are in production now."""
        model = self._models.get(name)
        if model is None or (model.entities is None and model.entity_column is None):
            return
        if model.entity_column is None:
            self._models.update(name, entities=None)
            return
        loaded, before = model.served, model.entities
        # An alias that is taken away silences no model.
        number = model.champion or (loaded.version.number if loaded else None)
        fallback = None if number is None else (name, number)
        champions = UsedChampions(by_entity=dict(model.by_entity), fallback=fallback)
        if before is None or (before.champions, before.fallback) != (champions, loaded):
            entities = ServedEntities(
                name,
                model.entity_column,
                champions,
                loaded,
                self._entity_versions,
                self._settings.most_rows,
            )
            self._models.update(name, entities=entities)

    def _load(self, name: str, model: ServedModel) -> None:
        number = model.champion
        try:
            version = registry.champion(name, tracking=self._tracking)
            if version is not None:
                number = version.number
                check_version(version, tracking=self._tracking, settings=self._settings)
                self._swap(load(version, tracking=self._tracking, settings=self._settings))
        # Whatever reading a file raises: the version at hand goes on answering.
        except Exception as error:
            logger.exception("%s version %s is refused", name, number)
            self._refuse(name, number, error)
        finally:
            self._loading.discard(name)

    def _swap(self, served: LoadedVersion) -> None:
        version = served.version
        before = self._models.get(version.model)
        self._models.update(version.model, served=served, refusal=None)
        self._serve_entities(version.model)
        self._to_read_again.add(version.model)
        self._metrics.loaded_version.labels(version.model).set(version.number)
        logger.info(
            "%s: version %d answers%s",
            version.model,
            version.number,
            f" instead of {before.served.version.number}" if before and before.served else "",
        )

    def _refuse(self, name: str, number: int | None, error: Exception) -> None:
        self._metrics.failed_loads.labels(name).inc()
        model = self._models.get(name)
        if model is None or number is None or self._stopped.is_set():
            return
        before = model.refusal
        attempts = before.attempts + 1 if before and before.version == number else 1
        pause = min(_FIRST_PAUSE * 2 ** (attempts - 1), _LONGEST_PAUSE)
        again = None if isinstance(error, TerminalError) else time.monotonic() + pause
        refusal = Refusal(number, public_reason(error), datetime.now(UTC), attempts, again)
        self._models.update(name, refusal=refusal)
        logger.warning(
            "%s: %s%s",
            name,
            f"version {model.served.version.number} goes on answering"
            if model.served
            else "no version answers",
            "" if again is None else f"; version {number} is tried again in {pause:.0f} s",
        )


def champions(tracking: Tracking) -> dict[str, InProduction]:
    """The versions in production of every model that has some; one call for a thousand models.

    Raises:
        TrackingError: The MLflow server does not answer.
    """
    numbers: dict[str, int] = {}
    entities: dict[str, dict[str, tuple[str, int]]] = {}
    token: str | None = None
    with tracking.asked() as client:
        while True:
            page = client.search_registered_models(max_results=_MODELS_A_PAGE, page_token=token)
            for found in (one for one in page if CHAMPION in one.aliases):
                number, whole = int(found.aliases[CHAMPION]), found.name.rpartition(".")[0]
                if _is_ours(found.name):
                    numbers[found.name] = number
                elif _is_ours(whole) and ENTITY in found.tags:
                    own = (found.name, number)
                    entities.setdefault(whole, {})[found.tags[ENTITY]] = own
            if not (token := page.token):
                names = numbers.keys() | entities.keys()
                return {
                    name: InProduction(numbers.get(name), entities.get(name, {})) for name in names
                }


def _is_ours(name: str) -> bool:
    """Whether a registered model is called `team.model`; others have no path here."""
    return all(map(NAME.fullmatch, name.split("."))) and name.count(".") == 1


def _is_due(model: ServedModel) -> bool:
    """Whether the version in production is to be loaded now."""
    if model.champion is None or (model.served and model.served.version.number == model.champion):
        return False
    if model.refusal is None:
        return True
    return model.refusal.again is not None and time.monotonic() >= model.refusal.again
