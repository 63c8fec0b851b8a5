"""Models and rows that the tests of the training steps share."""

from typing import Any

import palmerpenguins
import pyarrow as pa
from sklearn import datasets

from factory.training.model import Model


def model(**changes: Any) -> Model:
    """A classification of penguins by logistic regression, with changes."""
    section = {
        "task": "classification",
        "train_on": "penguins",
        "target": "species",
        "search": {
            "strategy": "grid",
            "candidates": [
                {
                    "estimator": "sklearn.linear_model.LogisticRegression",
                    "params": {"C": [0.1, 1.0]},
                }
            ],
        },
        "objective": {"metric": "f1_macro"},
    }
    return Model.model_validate(section | changes)


def regression(**changes: Any) -> Model:
    """A regression of diabetes by ridge, with changes."""
    section = {
        "task": "regression",
        "target": "target",
        "search": one_trial("sklearn.linear_model.Ridge"),
        "objective": {"metric": "root_mean_squared_error"},
    }
    return model(**(section | changes))


def one_trial(estimator: str, /, **params: Any) -> dict[str, Any]:
    return {"strategy": "list", "trials": [{"estimator": estimator, "params": params}]}


def penguins() -> pa.Table:
    return pa.Table.from_pandas(palmerpenguins.load_penguins(), preserve_index=False)


def diabetes() -> pa.Table:
    return pa.Table.from_pandas(datasets.load_diabetes(as_frame=True).frame, preserve_index=False)


def wine() -> pa.Table:
    return pa.Table.from_pandas(datasets.load_wine(as_frame=True).frame, preserve_index=False)
