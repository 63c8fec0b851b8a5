"""What a model's section must be for `task: forecasting`, beside what `forecast` says of itself."""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic_core import PydanticCustomError

from factory.base.findings import KeyPath
from factory.base.rules import Broken
from factory.trainers.trainer import Trainer
from factory.training.division import Split
from factory.training.forecasting.section import Forecast

TASK = "forecasting"


def divided_by_time(model: object) -> object:
    """A model's section as it is written, its rows divided by the column of time, which is not written twice."""
    if not isinstance(model, Mapping) or model.get("task") != TASK:
        return model
    forecast, split = model.get("forecast"), model.get("split", {})
    time = forecast.get("time") if isinstance(forecast, Mapping) else None
    is_open = isinstance(split, Mapping) and split.get("method", "time") == "time"
    if not isinstance(time, str) or not is_open:
        return model
    return {**model, "split": {"method": "time", "column": time, **split}}


def check_task(task: str, forecast: Forecast | None) -> Broken:
    """Whether the section is there where the task needs it, and nowhere else."""
    if task == TASK and forecast is None:
        yield PydanticCustomError(
            "together",
            "`task: forecasting` needs `forecast`: the column of time, how far ahead, and the past values to learn from",
            {
                "at": ("task",),
                "advice": "add it, such as `forecast: {time: date, horizon: 14, lags: [1, 7]}`",
            },
        )
    if task != TASK and forecast is not None:
        yield PydanticCustomError(
            "together",
            "`forecast` belongs to `task: forecasting`",
            {
                "at": ("forecast",),
                "on_key": True,
                "advice": f"take it away, or write `task: {TASK}`",
            },
        )


def check_target(forecast: Forecast, target: str | None) -> Broken:
    """Whether the target is none of the columns that are told of the series."""
    for place, column in forecast.places():
        if column == target:
            yield PydanticCustomError(
                "forecast",
                "{column} is the target, whose past values are learned from by `lags`",
                {"column": repr(column), "at": ("forecast", *place), "advice": "take it away"},
            )


def check_split(forecast: Forecast, split: Split) -> Broken:
    """Whether rows are divided by time: a forecast is of what comes later."""
    if split.method != "time":
        yield _split("a forecasting is divided by time alone", ("split", "method"))
        return
    if split.column != forecast.time:
        yield _split(
            f"a forecasting is divided by its column of time, {forecast.time!r}",
            ("split", "column"),
        )
    if split.gap:
        yield _split(
            "a forecasting has no gap between its parts: each forecast uses what was known before it",
            ("split", "gap"),
        )


def _split(message: str, at: KeyPath) -> PydanticCustomError:
    return PydanticCustomError(
        "split",
        "{message}",
        {"message": message, "at": at, "on_key": True, "advice": "take it away"},
    )


def check_features(features: object, keep: Iterable[str]) -> Broken:
    """Whether features, and what predictions keep, are left to the section."""
    if features is not None:
        yield PydanticCustomError(
            "together",
            "a forecasting learns from what `forecast` names: `lags`, `windows`, `calendar` and `known`",
            {
                "at": ("features",),
                "on_key": True,
                "advice": "take it away; columns that are known for the future too go to `forecast.known`",
            },
        )
    if tuple(keep):
        yield PydanticCustomError(
            "keep",
            "forecasts are of rows that are not there yet: they have the columns of `series`, the time and the step",
            {"at": ("predict", "keep"), "on_key": True, "advice": "take it away"},
        )


def check_deploy() -> Broken:
    """That a forecasting is not deployed: a smoke test asks with the rows that a model was stored with."""
    yield PydanticCustomError(
        "together",
        "a forecasting cannot be deployed yet: its smoke test would have to ask with series",
        {
            "at": ("deploy",),
            "on_key": True,
            "advice": "take it away: `factory serve` answers, and `predict` publishes forecasts as a dataset",
        },
    )


def check_estimator(
    trainer: type[Trainer], estimator: str, params: Mapping[str, Any], path: KeyPath
) -> Broken:
    """Whether an estimator can be trained for each step."""
    if TASK in trainer.tasks and trainer.looks_at_validation(estimator, params):
        yield PydanticCustomError(
            "forecast",
            "{estimator} stops early by validation rows, and a forecasting trains one estimator for each step, none "
            "of which sees them",
            {
                "estimator": estimator,
                "at": (*path, "estimator"),
                "advice": "take the parameters of early stopping away, and try several numbers of iterations",
            },
        )
