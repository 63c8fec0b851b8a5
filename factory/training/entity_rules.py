"""What a model's section must be for `entities`: one model for each value of a column."""

from collections.abc import Iterator

from pydantic_core import PydanticCustomError

from factory.base.findings import KeyPath
from factory.base.rules import Broken
from factory.models.predict_rules import not_predicted
from factory.trainers.column_steps import named_columns
from factory.training.entities import MODEL_COLUMN, Entities
from factory.training.fitting import TRAIN
from factory.training.model_section import ModelSection
from factory.training.preprocessing_rules import categories_of

_OF_ONE_MODEL = {
    "forecast": "name the column in `forecast.series`, and one model forecasts them all",
    "refit": "winners of entities are trained once",
    "deploy": "a deployment is of one version, and there are many models",
    "backend": "trials of entities are trained in their tasks",
}
"""The keys that are for one model only, and why."""

_INSTEAD = {
    "deploy": "take `deploy` away: `factory serve` follows all of them, and picks the model of each row"
}
"""What to write in place of some of them."""


def check_entities(model: ModelSection, entities: Entities) -> Broken:
    """What of a model's section does not go together with one model an entity.

    Args:
        model: The section.
        entities: Its `entities`.
    """
    named = list(_named_columns(model))
    kept = () if model.predict is None else model.predict.keep
    unfit = [key for key in _OF_ONE_MODEL if getattr(model, key) not in (None, TRAIN)]
    yield from _check_column(model, entities.column)
    for place, name in named:
        if name == entities.column:
            advice = "take it away: within an entity it never changes"
            yield _refused(name, "is no feature of entities' own models", advice, place)
    for key in unfit:
        yield PydanticCustomError(
            "together",
            "`{key}` and `entities` do not go together: {why}",
            {
                "key": key,
                "why": _OF_ONE_MODEL[key],
                "advice": _INSTEAD.get(key, "take one of them away"),
                "at": (key,),
                "on_key": True,
            },
        )
    yield from _check_task(model)
    yield from _check_kept(kept)


def _named_columns(model: ModelSection) -> Iterator[tuple[KeyPath, str]]:
    """The columns that estimators, preprocessing, promotion and monitoring name, and where."""
    yield from categories_of(model)
    for at, name in named_columns(model.entries):
        yield ("preprocessing", *at), name
    for key, columns in model.promotion.grouped_by.items():
        for index, name in enumerate(columns):
            yield ("promotion", key, "columns", index), name
    if model.monitor is not None:
        for index, name in enumerate(model.monitor.drift.columns or ()):
            yield ("monitor", "drift", "columns", index), name


def _check_column(model: ModelSection, column: str) -> Broken:
    at, features = ("entities", "column"), model.features
    others = model.parts_beside_features
    if column in model.target_columns:
        yield _refused(column, "is the target", "name another column", at)
    elif column in others:
        yield _refused(column, f"is {others[column]}", "name another column", at)
    elif features == (column,):
        yield _refused(
            column, "is the only feature, and entities' own models do not have it", "add others", at
        )


def _check_task(model: ModelSection) -> Broken:
    """Whether models of the task, of what they learn from and of what they predict, may be one an entity."""
    task = model.learning_task
    if not task.learns_target:
        yield PydanticCustomError(
            "entities",
            "{task} learns from no target, by whose rows entities are counted",
            {"task": task.title, "advice": "take it away", "at": ("entities",), "on_key": True},
        )
    asked = () if model.predict is None else model.predict.model_fields_set
    for key in ("probabilities", "interval", "explain"):
        if key in asked:
            yield not_predicted(key, "each entity's model would have its own", task)
    if model.image_column is not None:
        yield PydanticCustomError(
            "entities",
            "this model learns from images, and entities are of rows",
            {"advice": "take it away", "at": ("entities",), "on_key": True},
        )


def _check_kept(kept: tuple[str, ...]) -> Broken:
    for index, name in enumerate(kept):
        if name.lower() == MODEL_COLUMN:
            yield PydanticCustomError(
                "keep",
                "{value} cannot be kept: it is the column with the model that has answered",
                {
                    "value": repr(name),
                    "at": ("predict", "keep", index),
                    "advice": "take it away, or rename it in a transform",
                },
            )


def _refused(column: str, what: str, advice: str, at: KeyPath) -> PydanticCustomError:
    return PydanticCustomError(
        "entities",
        "{column} {what}",
        {"column": repr(column), "what": what, "advice": advice, "at": at},
    )
