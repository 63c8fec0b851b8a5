import numpy as np
import pytest

from factory.base.errors import TerminalError
from factory.training.fit import fit, load_fitted
from factory.training.split import split
from factory.training.split_files import read_part
from tests.training.models import model, one_trial, penguins

FOREST = "sklearn.ensemble.RandomForestClassifier"


def fitted(config, workspace):
    (trial,) = config.search.expand()
    return fit(trial, split(penguins(), config, workspace), config, workspace)


def test_the_same_rows_and_seed_give_the_same_predictions(tmp_path):
    config = model(search=one_trial(FOREST, n_estimators=10))
    found = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        result = fitted(config, folder)
        features, _ = read_part(folder, "test")
        found.append(load_fitted(result, config, folder).predict_proba(features))
    assert np.array_equal(*found)


def test_only_training_rows_are_learnt_from(tmp_path):
    config = model(features=["bill_length_mm"], search=one_trial(FOREST, n_estimators=2))
    result = fitted(config, tmp_path)
    train, _ = read_part(tmp_path, "train")
    imputer = load_fitted(result, config, tmp_path)["preprocessing"].named_transformers_["numbers"]
    assert imputer["impute"].statistics_[0] == train["bill_length_mm"].median()


def test_a_failure_names_the_trial(tmp_path):
    config = model(search=one_trial(FOREST, n_estimators=-1))
    with pytest.raises(TerminalError, match=r"trial 0 \(RandomForestClassifier\): .*n_estimators"):
        fitted(config, tmp_path)


def test_a_model_file_that_was_changed_is_not_loaded(tmp_path):
    config = model(search=one_trial(FOREST, n_estimators=2))
    result = fitted(config, tmp_path)
    with (tmp_path / result.model_file).open("ab") as file:
        file.write(b"more")
    with pytest.raises(TerminalError, match="changed after it was stored"):
        load_fitted(result, config, tmp_path)


def test_a_model_file_that_is_gone_says_what_to_do(tmp_path):
    config = model(search=one_trial(FOREST, n_estimators=2))
    result = fitted(config, tmp_path)
    (tmp_path / result.model_file).unlink()
    with pytest.raises(TerminalError, match="clear the DAG run from `split` on"):
        load_fitted(result, config, tmp_path)
