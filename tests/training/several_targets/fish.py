"""Fish and mails by formulas, and models with several targets that learn from them."""

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from factory.training.model import Model
from tests.training.models import one_trial

SIZES, LABELS = ("length", "weight"), ("spam", "urgent", "billing")


def fish(rows: int = 300, seed: int = 0) -> pd.DataFrame:
    """How old fish are, in which water, and how long and heavy."""
    random = np.random.default_rng(seed)
    age = random.uniform(1, 10, rows)
    warm = random.choice(["warm", "cold"], rows)
    length = 10 + 5 * age + 4 * (warm == "warm") + random.normal(0, 1, rows)
    weight = 0.02 * length**2 + random.normal(0, 2, rows)
    return pd.DataFrame(
        {"id": np.arange(rows), "age": age, "water": warm, "length": length, "weight": weight}
    )


def mails(rows: int = 400, seed: int = 0) -> pd.DataFrame:
    """What mails are like, and which of three labels each has: as booleans, texts and numbers."""
    random = np.random.default_rng(seed)
    links, marks, sums = (random.gamma(mean, 1, rows) for mean in (3, 2, 1))
    noise = random.normal(0, 0.5, (3, rows))
    return pd.DataFrame(
        {
            "id": np.arange(rows),
            "links": links,
            "marks": marks,
            "sums": sums,
            "spam": links + noise[0] > 4,
            "urgent": np.where(marks + noise[1] > 3, "yes", "no"),
            "billing": (sums + noise[2] > 1.5).astype(int),
        }
    )


def table(rows: pd.DataFrame) -> pa.Table:
    return pa.Table.from_pandas(rows, preserve_index=False)


def sizes(estimator: str = "sklearn.linear_model.Ridge", /, **changes: Any) -> Model:
    """A regression of length and weight, with changes."""
    section = {
        "task": "regression",
        "train_on": "fish",
        "target": [*SIZES],
        "features": ["age", "water"],
        "search": one_trial(estimator),
        "objective": {"metric": "r2"},
    }
    return Model.model_validate({**section, **changes})


def labels(estimator: str = "sklearn.ensemble.RandomForestClassifier", /, **changes: Any) -> Model:
    """A model of the labels of mails, with changes."""
    section = {
        "task": "multilabel",
        "train_on": "mails",
        "target": [*LABELS],
        "features": ["links", "marks", "sums"],
        "search": one_trial(estimator),
        "objective": {"metric": "f1_macro"},
    }
    return Model.model_validate({**section, **changes})
