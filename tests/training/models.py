"""Models and rows that the tests of the training steps share."""

from typing import Any

import palmerpenguins
import pandas as pd
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


def cells() -> pa.Table:
    """Cells of breast tissue, few of which are malignant, as `label`."""
    frame = datasets.load_breast_cancer(as_frame=True).frame
    is_benign = frame["target"] == 1
    rows = pd.concat([frame[is_benign], frame[~is_benign].iloc[:30]])
    labels = rows["target"].map({1: "benign", 0: "malignant"})
    features = rows.iloc[:, :6].rename(columns=lambda name: name.replace(" ", "_"))
    return pa.Table.from_pandas(features.assign(label=labels), preserve_index=False)


def anomaly(**changes: Any) -> Model:
    """A detector of malignant cells by an isolation forest, with changes."""
    section = {
        "task": "anomaly",
        "train_on": "cells",
        "target": "label",
        "positive": "malignant",
        "search": one_trial("sklearn.ensemble.IsolationForest", n_estimators=20),
        "objective": {"metric": "average_precision"},
    }
    return Model.model_validate(section | changes)


def unlabelled(**changes: Any) -> Model:
    """The same of rows without labels."""
    section = {"target": None, "positive": None, "objective": {"metric": "mass_volume"}}
    return anomaly(**(section | changes))


def clustering(**changes: Any) -> Model:
    """Clusters of wines by k-means, with changes."""
    section = {
        "task": "clustering",
        "train_on": "wines",
        "search": {
            "strategy": "grid",
            "candidates": [
                {"estimator": "sklearn.cluster.KMeans", "params": {"n_clusters": [2, 3, 4, 5]}}
            ],
        },
        "objective": {"metric": "silhouette"},
    }
    return Model.model_validate(section | changes)


def wines() -> pa.Table:
    """The wines without what they are."""
    return wine().drop_columns(["target"])
