"""Answers of a model that has one for each entity: each row by its entity's champion, else by the fallback's."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any

import pyarrow as pa
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from pydantic_core import to_json

from factory.base.errors import TerminalError
from factory.models.entity_texts import entity_texts
from factory.models.used_champions import UsedChampions
from factory.serving.answers import Answer, class_names
from factory.serving.contract import Contract, Row
from factory.serving.entity_versions import EntityVersions, NotLoadedError
from factory.serving.loading import LoadedVersion
from factory.serving.refusals import MOST_FINDINGS, finding, findings
from factory.trainers.trainer import Predictions

logger = logging.getLogger(__name__)


class AnsweredByEntity(BaseModel):
    """The answer of a model that has one for each entity."""

    model_config = ConfigDict(title="AnsweredByEntity")

    model: str = Field(examples=["air.delay"])
    predictions: list[str | int | float | bool | None] = Field(
        description="One a row, in their order; null where nothing answers, or the number is not finite."
    )
    models: list[str | None] = Field(
        description="For each row, the registered model that has answered.",
        examples=[["air.delay.UA", "air.delay"]],
    )
    versions: list[int | None] = Field(
        description="For each row, the version that has answered.", examples=[[3, 5]]
    )
    probabilities: list[dict[str, float | None] | None] | None = Field(
        default=None,
        description="For each row, the probability of each class. Left out where no estimator gives any.",
    )
    errors: list[str | None] | None = Field(
        default=None,
        description="For each row, why nothing answers. Left out where all rows are answered.",
    )


@dataclass(frozen=True, eq=False)
class ServedEntities:
    """Which versions are in production at one moment, and what loads them."""

    name: str
    """The full name, `team.model`."""
    column: str
    """The column of the entities."""
    champions: UsedChampions
    fallback: LoadedVersion | None
    """What answers for other entities; None where nothing does, or not yet."""
    versions: EntityVersions
    most_rows: int

    @property
    def request(self) -> type[BaseModel]:
        """What a request's body holds, before it is known which versions its rows are for."""
        return _request(self.most_rows)

    def version(self, entity: str | None) -> tuple[str, int] | None:
        """The version that answers for a row."""
        return self.champions.of_entity(entity)


@lru_cache(maxsize=4)
def _request(most_rows: int) -> type[BaseModel]:
    return create_model(
        "EntityRequest",
        __config__=ConfigDict(extra="forbid", strict=True),
        rows=(Annotated[list[dict[str, Any]], Field(min_length=1, max_length=most_rows)], ...),
    )


def answer_by_entity(served: ServedEntities, bodies: Sequence[bytes]) -> list[Answer | Exception]:
    """An answer, or what the caller is told instead, for each body."""
    return [_answer(served, body) for body in bodies]


def _answer(served: ServedEntities, body: bytes) -> Answer | Exception:
    try:
        rows: list[Row] = served.request.model_validate_json(body).rows  # type: ignore[attr-defined]
    except ValidationError as error:
        return RequestValidationError(findings(error))
    wrong = [found for at, row in enumerate(rows) for found in _wrong_entity(row, at, served)]
    if wrong:
        return RequestValidationError(wrong[:MOST_FINDINGS])
    answers = _Answers(served, rows)
    return answers.told()


def _wrong_entity(row: Row, at: int, served: ServedEntities) -> list[dict[str, Any]]:
    place, value = ("rows", at, served.column), row.get(served.column)
    if served.column not in row:
        return [finding("missing", place, "Field required")]
    if isinstance(value, dict | list):
        message = "Input should be a text, a number, true, false or null: the entity of the row"
        return [finding("entity", place, message)]
    return []


def _text(value: Any) -> str | None:
    """An entity as batch prediction reads it."""
    try:
        text: str | None = entity_texts(pa.array([value]))[0].as_py()
    except (pa.ArrowInvalid, OverflowError):
        # A whole number of more than 64 bits.
        return str(value)
    return text


class _Answers:
    """The answers to the rows of one request."""

    def __init__(self, served: ServedEntities, rows: Sequence[Row]) -> None:
        self._served = served
        self._rows = rows
        self._content: dict[str, list[Any]] = {
            name: [None] * len(rows)
            for name in ("predictions", "models", "versions", "probabilities", "errors")
        }

    def told(self) -> Answer | Exception:
        """The body of the answer, or what is wrong with rows."""
        wrong: list[dict[str, Any]] = []
        read: list[tuple[LoadedVersion, list[int], list[Row]]] = []
        for version, places in self._by_version().items():
            loaded = self._loaded(version, places)
            if loaded is None:
                continue
            try:
                read.append((loaded, places, self._parsed(loaded, places)))
            except ValidationError as error:
                wrong += findings(error, places)
        if wrong:
            return RequestValidationError(wrong[:MOST_FINDINGS])
        for loaded, places, parsed in read:
            self._predict(loaded, places, parsed)
        return self._body()

    def _by_version(self) -> dict[tuple[str, int] | None, list[int]]:
        """The places of rows by the version that answers for them."""
        column = self._served.column
        texts: dict[tuple[type, Any], str | None] = {}
        found: dict[tuple[str, int] | None, list[int]] = {}
        for place, row in enumerate(self._rows):
            value = row[column]
            key = (type(value), value)
            if key not in texts:
                texts[key] = _text(value)
            version = self._served.version(texts[key])
            if version is None:
                self._content["errors"][place] = (
                    f"no model answers for {column} {texts[key]!r}: it has no champion, and there is no fallback"
                )
            found.setdefault(version, []).append(place)
        return found

    def _loaded(
        self, version: tuple[str, int] | None, places: Sequence[int]
    ) -> LoadedVersion | None:
        """The version, in memory by now; None where none answers, of which the rows are told."""
        if version is None:
            return None
        if version[0] == self._served.name:
            if self._served.fallback is None:
                self._tell(places, f"no version of {version[0]} answers yet: see GET /models")
            return self._served.fallback
        try:
            return self._served.versions.get(*version)
        except NotLoadedError as error:
            self._tell(places, str(error))
            return None

    def _parsed(self, loaded: LoadedVersion, places: Sequence[int]) -> list[Row]:
        """Rows as a version takes them."""
        contract = loaded.contract
        if not isinstance(contract, Contract):
            raise TypeError(f"{loaded.version.uri} takes no rows")
        takes_entity = any(one.name == self._served.column for one in contract.features)
        rows = [self._rows[place] for place in places]
        if not takes_entity:
            rows = [
                {name: value for name, value in row.items() if name != self._served.column}
                for row in rows
            ]
        return contract.parse(to_json({"rows": rows}, inf_nan_mode="constants"))

    def _predict(self, loaded: LoadedVersion, places: Sequence[int], rows: Sequence[Row]) -> None:
        try:
            said = loaded.predict(rows)
        except TerminalError as error:
            logger.warning("%s refuses rows: %s", loaded.version.uri, error)
            self._tell(places, f"{loaded.version.model} cannot predict these {len(rows)} rows")
        # What one entity's model raises must not take the answers of the others away.
        except Exception:
            logger.exception("%s fails", loaded.version.uri)
            self._tell(places, f"{loaded.version.model} failed: the service's log says why")
        else:
            self._keep(loaded, places, said)

    def _keep(self, loaded: LoadedVersion, places: Sequence[int], said: Predictions) -> None:
        probabilities: list[Mapping[str, float] | None] = [None] * len(places)
        if said.probabilities is not None and said.classes is not None:
            names = class_names(said.classes)
            probabilities = [
                dict(zip(names, row, strict=True)) for row in said.probabilities.tolist()
            ]
        answered = zip(places, said.values.tolist(), probabilities, strict=True)
        for place, value, chances in answered:
            self._content["predictions"][place] = value
            self._content["probabilities"][place] = chances
            self._content["models"][place] = loaded.version.model
            self._content["versions"][place] = loaded.version.number

    def _tell(self, places: Sequence[int], error: str) -> None:
        for place in places:
            self._content["errors"][place] = error

    def _body(self) -> Answer:
        content = {
            name: values
            for name, values in self._content.items()
            if name not in ("probabilities", "errors") or any(one is not None for one in values)
        }
        told = {"model": self._served.name, **content}
        answered = sum(one is not None for one in self._content["models"])
        return Answer(to_json(told, inf_nan_mode="null"), answered)
