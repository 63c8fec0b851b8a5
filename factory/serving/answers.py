"""What a model says about rows, as JSON."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import to_json

from factory.trainers.trainer import Predictions


class Classified(BaseModel):
    """The answer of a classification."""

    model_config = ConfigDict(title="Classified")

    model: str = Field(examples=["marine.species"])
    version: int = Field(description="The version that predicted.", examples=[3])
    predictions: list[str | int | bool] = Field(description="One class a row, in their order.")
    probabilities: list[dict[str, float | None]] | None = Field(
        default=None,
        description="For each row, the probability of each class. "
        "Left out where the estimator gives none.",
    )


class Estimated(BaseModel):
    """The answer of a regression."""

    model_config = ConfigDict(title="Estimated")

    model: str = Field(examples=["harbour.price"])
    version: int = Field(description="The version that predicted.", examples=[3])
    predictions: list[float | None] = Field(
        description="One number a row, in their order; null where it is not finite."
    )


class Recognized(BaseModel):
    """The answer of a classification to one image."""

    model_config = ConfigDict(title="Recognized")

    model: str = Field(examples=["pets.detector"])
    version: int = Field(description="The version that predicted.", examples=[3])
    label: str | int | bool = Field(description="The class.", examples=["cat"])
    probabilities: dict[str, float | None] | None = Field(
        default=None, description="The probability of each class."
    )


class Measured(BaseModel):
    """The answer of a regression to one image."""

    model_config = ConfigDict(title="Measured")

    model: str = Field(examples=["harbour.size"])
    version: int = Field(description="The version that predicted.", examples=[3])
    value: float | None = Field(description="The number; null where it is not finite.")


def answer(model: str, version: int, predictions: Predictions) -> bytes:
    """The body of an answer, see `Classified` and `Estimated`; null for what is not finite."""
    content: dict[str, Any] = {
        "model": model,
        "version": version,
        "predictions": predictions.values.tolist(),
    }
    if predictions.probabilities is not None and predictions.classes is not None:
        names = class_names(predictions.classes)
        content["probabilities"] = [
            dict(zip(names, row, strict=True)) for row in predictions.probabilities.tolist()
        ]
    return to_json(content, inf_nan_mode="null")


def answer_to_one(model: str, version: int, predictions: Predictions) -> bytes:
    """The body of an answer about one thing alone, see `Recognized` and `Measured`."""
    classes, probabilities = predictions.classes, predictions.probabilities
    content: dict[str, Any] = {"model": model, "version": version}
    content["value" if classes is None else "label"] = predictions.values.tolist()[0]
    if probabilities is not None and classes is not None:
        chances = zip(class_names(classes), probabilities[0].tolist(), strict=True)
        content["probabilities"] = dict(chances)
    return to_json(content, inf_nan_mode="null")


def class_names(classes: NDArray[Any]) -> list[str]:
    """Classes as keys of a JSON object: `true` for True, `3` for 3."""
    return [str(name).lower() if isinstance(name, bool) else str(name) for name in classes.tolist()]


def nonsense(predictions: Predictions, rows: int) -> str | None:
    """What is not sensible about predictions; None if they are fine."""
    values = predictions.values
    if values.shape != (rows,):
        return f"predictions of the shape {values.shape} for {rows} rows"
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        return "numbers that are not finite"
    classes = predictions.classes
    if classes is None:
        return None if values.dtype.kind in "fiu" else "no numbers"
    if not np.isin(values, classes).all():
        return "classes that it does not know"
    return _improbable(predictions, (rows, len(classes)))


def _improbable(predictions: Predictions, shape: tuple[int, int]) -> str | None:
    found = predictions.probabilities
    if found is None:
        return None
    if found.shape != shape:
        return f"probabilities of the shape {found.shape} for {shape[0]} rows, {shape[1]} classes"
    # NaN fails each comparison.
    if not ((found >= 0) & (found <= 1 + _ROUNDING)).all():
        return "probabilities outside of 0 to 1"
    if not np.allclose(found.sum(axis=1), 1, atol=_ROUNDING):
        return "probabilities that do not add up to 1"
    return None


_ROUNDING = 1e-3
"""Of estimators that count in 32 bits."""
