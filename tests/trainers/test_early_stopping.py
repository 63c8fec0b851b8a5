"""Estimators of scikit-learn that stop early, by the validation rows of the split."""

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor

from factory.trainers.scikit_learn.early_stopping import stops_early
from factory.training.split import read_part
from tests.training.models import diabetes, model, one_trial, penguins, regression
from tests.training.training import Training

BOOSTED = "sklearn.ensemble.HistGradientBoostingRegressor"
PARAMS = {"early_stopping": True, "max_iter": 500, "n_iter_no_change": 5, "learning_rate": 0.2}


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"early_stopping_rounds": 20}, True),
        ({"early_stopping": True}, True),
        ({"od_type": "Iter"}, True),
        ({"early_stopping": "auto"}, False),
        ({"early_stopping": False}, False),
        ({"early_stopping_rounds": None}, False),
        ({"max_iter": 20}, False),
    ],
)
def test_parameters_say_whether_an_estimator_stops_early(params, expected):
    assert stops_early(params) is expected


def test_it_is_fitted_as_by_its_library_with_the_validation_rows(tmp_path, mlflow_server):
    section = regression(search=one_trial(BOOSTED, **PARAMS))
    training = Training(diabetes(), section, tmp_path, mlflow_server)
    training.plan()
    evaluated = training.evaluate(0)
    (features, target), (seen, truth), (others, _) = (
        read_part(training.workspace, part) for part in ("train", "validation", "test")
    )
    plain = HistGradientBoostingRegressor(**PARAMS, random_state=section.split.seed)
    plain.fit(features.to_numpy(), target, X_val=seen.to_numpy(), y_val=truth)
    assert 5 < plain.n_iter_ < 500
    trainer = section.trainer(BOOSTED)
    ours = trainer.predict(trainer.load(training.workspace / evaluated.fit.model_file), others)
    np.testing.assert_allclose(ours.values, plain.predict(others.to_numpy()))

    run = training.tracking.client.get_run(evaluated.mlflow_run_id)
    assert run.data.params["best_iteration"] == str(plain.n_iter_)
    curve = training.tracking.client.get_metric_history(run.info.run_id, "iteration_valid_score")
    assert [one.step for one in curve] == list(range(1, plain.n_iter_ + 1))
    np.testing.assert_allclose([one.value for one in curve], plain.validation_score_[1:])


def test_classes_that_only_validation_rows_have_are_left_out(tmp_path):
    frame = penguins().to_pandas().dropna()
    features, target = frame[["bill_length_mm"]], frame["species"].to_numpy()
    few = target != "Gentoo"
    path = "sklearn.ensemble.HistGradientBoostingClassifier"
    trainer = model().trainer(path)
    params = {"early_stopping": True, "max_iter": 20}
    fitted = trainer.fit(path, params, features[few], target[few], 0, (features, target))
    assert set(fitted.model.classes_) == {"Adelie", "Chinstrap"}
    assert fitted.steps.name == "iteration"


def test_estimator_that_puts_training_rows_aside_has_no_best_iteration():
    frame = diabetes().to_pandas()
    path = "sklearn.neural_network.MLPRegressor"
    rows = frame[["bmi", "bp"]], frame["target"].to_numpy()
    params = {"early_stopping": True, "max_iter": 20}
    fitted = regression().trainer(path).fit(path, params, *rows, 0, rows)
    assert (fitted.history, fitted.steps.best) == ((), None)


def test_of_many_iterations_some_are_told(tmp_path):
    frame = diabetes().to_pandas()
    features, target = frame[["bmi", "bp"]], frame["target"].to_numpy()
    params = {"early_stopping": True, "max_iter": 450, "n_iter_no_change": 450, "max_leaf_nodes": 2}
    fitted = (
        regression()
        .trainer(BOOSTED)
        .fit(BOOSTED, params, features[:300], target[:300], 0, (features[300:], target[300:]))
    )
    assert (len(fitted.history), fitted.steps.every, fitted.steps.best) == (150, 3, 450)
