"""Boosted trees that learn several targets, and those that do not."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from factory.trainers.scikit_learn.estimator_check import find
from factory.trainers.trainer import WrittenEstimator
from factory.training.split import read_part, split
from tests.training.models import one_trial
from tests.training.several_targets.fish import fish, labels, mails, sizes, table

FEW: dict[str, dict[str, Any]] = {
    "xgboost.XGBRegressor": {"n_estimators": 20},
    "catboost.CatBoostRegressor": {"iterations": 20, "loss_function": "MultiRMSE"},
    "xgboost.XGBClassifier": {"n_estimators": 20},
    "catboost.CatBoostClassifier": {"iterations": 20, "loss_function": "MultiLogloss"},
}


@pytest.mark.parametrize("path", FEW)
def test_boosted_trees_learn_several_targets_and_are_stored(path: str, tmp_path: Path) -> None:
    make, rows = (sizes, fish()) if path.endswith("Regressor") else (labels, mails())
    section = make(search=one_trial(path, **FEW[path]))
    written = WrittenEstimator(path, FEW[path], section.learning_task.name)
    assert [finding.message for finding in find(written)] == []
    split(table(rows), section, tmp_path)
    features, target = read_part(tmp_path, "train")
    trainer = section.trainer(path)
    fitted = trainer.fit(path, FEW[path], features, target, 7).model
    trainer.check_stored(fitted, section.packages)
    said = trainer.predict(fitted, features)
    assert said.values.shape == target.shape
    if said.probabilities is not None:
        assert ((said.probabilities > 0.5) == (said.values == 1)).mean() > 0.99
        assert (said.values == target).mean() > 0.8
    else:
        assert np.corrcoef(said.values[:, 0], target[:, 0])[0, 1] > 0.8


@pytest.mark.parametrize(
    ("path", "task", "wrapper"),
    [
        ("lightgbm.LGBMRegressor", "multioutput_regression", "MultiOutputRegressor"),
        ("lightgbm.LGBMClassifier", "multilabel", "MultiOutputClassifier"),
        ("catboost.CatBoostClassifier", "multilabel", "MultiOutputClassifier"),
    ],
)
def test_boosted_trees_of_one_target_are_refused_and_the_wrapper_is_named(
    path: str, task: str, wrapper: str
) -> None:
    (finding,) = find(WrittenEstimator(path, {}, task))
    assert finding.message.startswith(f"{path.rpartition('.')[2]} learns one target")
    assert f"sklearn.multioutput.{wrapper}" in str(finding.suggestion)
    inside = {"estimator": {"estimator": path}}
    assert not list(find(WrittenEstimator(f"sklearn.multioutput.{wrapper}", inside, task)))
