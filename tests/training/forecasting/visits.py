"""Daily visitors of stores by a formula, and models that forecast them, for the tests of forecasting."""

from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from factory.training.model import Model

FORECAST: dict[str, Any] = {
    "time": "date",
    "series": "store",
    "horizon": 7,
    "lags": [1, 2, 7, 14],
    "windows": [{"mean": 7}],
    "calendar": ["dayofweek", "month"],
    "known": ["holiday"],
}


def frame(days: int = 160, stores: tuple[str, ...] = ("north", "south")) -> pd.DataFrame:
    """One row a store and day: a level, a trend, weekends, holidays on the 1st, and noise by a fixed seed."""
    parts = []
    for number, store in enumerate(stores):
        dates = pd.date_range("2024-01-01", periods=days, freq="D")
        holiday = (dates.day == 1).astype(int)
        noise = np.random.default_rng(number).normal(0, 3, days)
        level = 100.0 * (number + 1) + 0.1 * np.arange(days)
        visitors = level + 20 * (dates.weekday >= 5) - 30 * holiday + noise
        values = {"store": store, "date": dates.date, "visitors": visitors, "holiday": holiday}
        parts.append(pd.DataFrame(values))
    return pd.concat(parts, ignore_index=True)


def table(rows: pd.DataFrame | None = None) -> pa.Table:
    return pa.Table.from_pandas(frame() if rows is None else rows, preserve_index=False)


def with_future(rows: pd.DataFrame, days: int = 7) -> pd.DataFrame:
    """The same, and rows of which all but the target is known."""
    last: date = rows["date"].max()
    dates = pd.date_range(last, periods=days + 1, freq="D")[1:]
    later = [
        pd.DataFrame({"store": store, "date": dates.date, "holiday": (dates.day == 1).astype(int)})
        for store in rows["store"].unique()
    ]
    return pd.concat([rows, *later], ignore_index=True)


def forecaster(forecast: dict[str, Any] | None = None, /, **changes: Any) -> Model:
    """A model that forecasts visitors by ridge, with changes."""
    section = {
        "task": "forecasting",
        "train_on": "visits",
        "target": "visitors",
        "forecast": {**FORECAST, **(forecast or {})},
        "split": {"test": "28d", "validation": {"folds": 3}},
        "search": {
            "strategy": "grid",
            "candidates": [
                {"estimator": "sklearn.linear_model.Ridge", "params": {"alpha": [0.1, 10.0]}}
            ],
        },
        "objective": {"metric": "mase"},
    }
    return Model.model_validate({**section, **changes})
