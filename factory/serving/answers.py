"""From the bodies of requests to the bodies of answers; what a model says about rows, as JSON."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import HTTPException
from fastapi.exceptions import RequestValidationError
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import to_json

from factory.base.errors import TerminalError
from factory.serving.contract import Row
from factory.serving.forecast_contract import ForecastContract
from factory.serving.loading import LoadedVersion
from factory.serving.refusals import cannot_predict, findings
from factory.trainers.trainer import Predictions
from factory.training.learning_task import LearningTask, TaskName

logger = logging.getLogger(__name__)


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


class Detected(BaseModel):
    """The answer of an anomaly detection."""

    model_config = ConfigDict(title="Detected")

    model: str = Field(examples=["network.odd_flows"])
    version: int = Field(description="The version that predicted.", examples=[3])
    predictions: list[bool] = Field(description="Whether each row is an anomaly, in their order.")
    score: list[float | None] = Field(
        description="For each row, the higher, the more anomalous; null where it is not finite."
    )


class Grouped(BaseModel):
    """The answer of a clustering."""

    model_config = ConfigDict(title="Grouped")

    model: str = Field(examples=["shop.segments"])
    version: int = Field(description="The version that predicted.", examples=[3])
    predictions: list[int] = Field(description="The number of each row's cluster, in their order.")
    probabilities: list[dict[str, float | None]] | None = Field(
        default=None,
        description="For each row, the probability of each cluster. "
        "Left out where the estimator gives none.",
    )
    distance: list[float | None] | None = Field(
        default=None,
        description="For each row, how far it is from the centre of its cluster. "
        "Left out where the clusters have no centres.",
    )


class Estimated(BaseModel):
    """The answer of a regression, or of a ranking."""

    model_config = ConfigDict(title="Estimated")

    model: str = Field(examples=["harbour.price"])
    version: int = Field(description="The version that predicted.", examples=[3])
    predictions: list[float | None] = Field(
        description="One number a row, in their order; null where it is not finite."
    )


class EstimatedTogether(BaseModel):
    """The answer of a regression of several targets."""

    model_config = ConfigDict(title="EstimatedTogether")

    model: str = Field(examples=["harbour.size"])
    version: int = Field(description="The version that predicted.", examples=[3])
    predictions: list[dict[str, float | None]] = Field(
        description="For each row, in their order, a number for each target; null where it is not finite.",
        examples=[[{"length": 4.1, "weight": 0.9}]],
    )


class Labelled(BaseModel):
    """The answer of a multilabel classification."""

    model_config = ConfigDict(title="Labelled")

    model: str = Field(examples=["mail.labels"])
    version: int = Field(description="The version that predicted.", examples=[3])
    predictions: list[dict[str, bool]] = Field(
        description="For each row, in their order, whether it has each label.",
        examples=[[{"spam": True, "urgent": False}]],
    )
    probabilities: list[dict[str, float | None]] | None = Field(
        default=None,
        description="For each row, the probability of each label. "
        "Left out where the estimator gives none.",
    )


class Forecasted(BaseModel):
    """The answer of a forecasting."""

    model_config = ConfigDict(title="Forecasted")

    model: str = Field(examples=["shop.visitors"])
    version: int = Field(description="The version that predicted.", examples=[3])
    forecasts: list[dict[str, str | int | float | None]] = Field(
        description="For each series and step the columns of the series, the time, `step` and `prediction`.",
        examples=[[{"store": "north", "date": "2026-03-01T00:00:00", "step": 1, "prediction": 7}]],
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


_FORMS: Mapping[TaskName, type[BaseModel]] = {
    "classification": Classified,
    "regression": Estimated,
    "anomaly": Detected,
    "clustering": Grouped,
    "forecasting": Forecasted,
    "ranking": Estimated,
    "multilabel": Labelled,
    "multioutput_regression": EstimatedTogether,
}


def form_of(task: LearningTask) -> type[BaseModel]:
    """What answers about rows hold."""
    return _FORMS[task.name]


def answer(model: str, version: int, predictions: Predictions) -> bytes:
    """The body of an answer, see `form_of`; null for what is not finite."""
    content: dict[str, Any] = {
        "model": model,
        "version": version,
        "predictions": _said(predictions),
    }
    if predictions.probabilities is not None and predictions.classes is not None:
        names = class_names(predictions.classes)
        content["probabilities"] = [
            dict(zip(names, row, strict=True)) for row in predictions.probabilities.tolist()
        ]
    if not predictions.targets:
        content |= {name: values.tolist() for name, values in predictions.columns.items()}
    return to_json(content, inf_nan_mode="null")


def _said(predictions: Predictions) -> list[Any]:
    """What is said of each row: a value, or of several targets one each by their names."""
    if not predictions.targets:
        said: list[Any] = predictions.values.tolist()
        return said
    # Those of the targets come first, in their order.
    columns = [values.tolist() for values in predictions.columns.values()]
    of_rows = zip(*columns[: len(predictions.targets)], strict=True)
    return [dict(zip(predictions.targets, row, strict=True)) for row in of_rows]


def answer_to_one(model: str, version: int, predictions: Predictions) -> bytes:
    """The body of an answer about one thing alone, see `Recognized` and `Measured`."""
    classes, probabilities = predictions.classes, predictions.probabilities
    content: dict[str, Any] = {"model": model, "version": version}
    content["value" if classes is None else "label"] = predictions.values.tolist()[0]
    if probabilities is not None and classes is not None:
        chances = zip(class_names(classes), probabilities[0].tolist(), strict=True)
        content["probabilities"] = dict(chances)
    return to_json(content, inf_nan_mode="null")


def answer_of_forecasts(
    model: str, version: int, keys: Sequence[dict[str, Any]], predictions: Predictions
) -> bytes:
    """The body of an answer of forecasts, see `Forecasted`."""
    values = predictions.values.tolist()
    said = [{**key, "prediction": value} for key, value in zip(keys, values, strict=True)]
    return to_json({"model": model, "version": version, "forecasts": said}, inf_nan_mode="null")


def class_names(classes: NDArray[Any]) -> list[str]:
    """Classes as keys of a JSON object: `true` for True, `3` for 3."""
    return [str(name).lower() if isinstance(name, bool) else str(name) for name in classes.tolist()]


@dataclass(frozen=True)
class _ReadRequest:
    """A request that has been understood."""

    rows: list[Row]
    is_one: bool
    """Whether it is about one thing alone, and the answer too."""


@dataclass(frozen=True)
class Answer:
    """The answer to one request."""

    body: bytes
    rows: int


def answer_together(served: LoadedVersion, bodies: Sequence[bytes]) -> list[Answer | Exception]:
    """An answer, or what the caller is told instead, for each body; one prediction for all."""
    read = [_read(served, body) for body in bodies]
    good = [each for each in read if not isinstance(each, Exception)]
    answers = iter(_predict_together(served, good) if good else ())
    return [each if isinstance(each, Exception) else next(answers) for each in read]


def _read(served: LoadedVersion, body: bytes) -> _ReadRequest | Exception:
    contract = served.contract
    try:
        return _ReadRequest(contract.parse(body), contract.is_one(body))
    except ValidationError as error:
        return RequestValidationError(findings(error))
    except RequestValidationError as error:
        return error
    # One body that cannot be read for another reason must not take the answers of others away.
    except Exception:
        logger.exception("%s: a request cannot be read", served.version.uri)
        return HTTPException(500, "the service failed: its log says why")


def _predict_together(
    served: LoadedVersion, requests: Sequence[_ReadRequest]
) -> list[Answer | Exception]:
    if len(requests) == 1:
        return [_predict(served, requests[0])]
    try:
        predictions = served.predict([row for asked in requests for row in asked.rows])
    except Exception:
        logger.exception("%s fails for requests together: one after the other", served.version.uri)
        return [_predict(served, asked) for asked in requests]
    answers: list[Answer | Exception] = []
    start = 0
    for asked in requests:
        end = start + len(asked.rows)
        answers.append(_answered(served, _part(predictions, start, end), asked))
        start = end
    return answers


def _predict(served: LoadedVersion, asked: _ReadRequest) -> Answer | Exception:
    try:
        return _answered(served, served.predict(asked.rows), asked)
    except TerminalError as error:
        logger.warning("%s refuses rows: %s", served.version.uri, error)
        return RequestValidationError(cannot_predict(asked.rows))
    except Exception:
        logger.exception("%s fails", served.version.uri)
        return HTTPException(500, "the model failed: the service's log says why")


def _answered(served: LoadedVersion, predictions: Predictions, asked: _ReadRequest) -> Answer:
    version, contract = served.version, served.contract
    if isinstance(contract, ForecastContract):
        keys = [contract.keys(row) for row in asked.rows]
        body = answer_of_forecasts(version.model, version.number, keys, predictions)
        return Answer(body, len(asked.rows))
    form = answer_to_one if asked.is_one else answer
    return Answer(form(version.model, version.number, predictions), len(asked.rows))


def _part(predictions: Predictions, start: int, end: int) -> Predictions:
    return predictions.of_rows(slice(start, end))
