"""Models with several targets, trained on a real MLflow server: their scores, versions, and what these say."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pyarrow.dataset
import pytest
from sklearn import metrics
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import Ridge

from factory.models import registry
from factory.models.batch_prediction import PredictionForm, predict
from factory.models.predictor import load_predictor
from factory.serving.answers import answer_together
from factory.serving.limits import ServingLimits
from factory.serving.loading import load
from factory.trainers.scikit_learn.preprocessing import default_preprocessing
from factory.training.model import Model
from factory.training.split import read_part, split
from tests.models.life import Life
from tests.training.models import one_trial
from tests.training.several_targets.fish import LABELS, SIZES, fish, labels, mails, sizes, table


def lived(folder: Path, uri: str, section: Model, rows: Any) -> Life:
    """A version of a model in production."""
    life = Life(folder, uri)
    life.train(section, table(rows), plots=True)
    life.promote(life.decide())
    return life


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory, mlflow_server: str) -> Life:
    return lived(tmp_path_factory.mktemp("sizes"), mlflow_server, sizes(), fish())


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory, mlflow_server: str) -> Life:
    return lived(tmp_path_factory.mktemp("labels"), mlflow_server, labels(), mails())


def plainly(life: Life, estimator: Any) -> tuple[Any, Any]:
    """The test rows' truth, and an estimator of plain scikit-learn with its prepared test rows."""
    folder = life.training.workspace
    features, truth = read_part(folder, "train")
    test, target = read_part(folder, "test")
    prepare = default_preprocessing(features).fit(features)
    return target, (estimator.fit(prepare.transform(features), truth), prepare.transform(test))


def test_scores_of_a_regression_are_those_of_plain_scikit_learn(measured: Life) -> None:
    truth, (model, rows) = plainly(measured, Ridge())
    said, found = model.predict(rows), measured.tested.metrics
    assert found["r2"] == pytest.approx(metrics.r2_score(truth, said))
    assert found["root_mean_squared_error"] == pytest.approx(
        metrics.root_mean_squared_error(truth, said)
    )
    for place, name in enumerate(SIZES):
        alone = truth[:, place], said[:, place]
        assert found[f"r2/{name}"] == pytest.approx(metrics.r2_score(*alone))
        assert found[f"mean_absolute_error/{name}"] == pytest.approx(
            metrics.mean_absolute_error(*alone)
        )
    assert measured.tested.baseline["r2"] <= 0
    assert measured.champion == 1


def test_scores_of_labels_are_those_of_plain_scikit_learn(labelled: Life) -> None:
    truth, (model, rows) = plainly(
        labelled, RandomForestClassifier(random_state=labelled.training.model.split.seed)
    )
    said = model.predict(rows)
    likely = np.column_stack([each[:, 1] for each in model.predict_proba(rows)])
    found = labelled.tested.metrics
    assert found["accuracy"] == metrics.accuracy_score(truth, said)
    assert found["hamming_loss"] == pytest.approx(metrics.hamming_loss(truth, said))
    for average in ("samples", "micro", "macro", "weighted"):
        assert found[f"f1_{average}"] == pytest.approx(
            metrics.f1_score(truth, said, average=average, zero_division=0)
        )
    assert found["jaccard_samples"] == pytest.approx(
        metrics.jaccard_score(truth, said, average="samples", zero_division=0)
    )
    assert found["average_precision_macro"] == pytest.approx(
        metrics.average_precision_score(truth, likely)
    )
    assert found["label_ranking_average_precision"] == pytest.approx(
        metrics.label_ranking_average_precision_score(truth, likely)
    )
    assert found["roc_auc"] == pytest.approx(metrics.roc_auc_score(truth, likely))
    for place, name in enumerate(LABELS):
        alone = truth[:, place], said[:, place]
        assert found[f"f1/{name}"] == metrics.f1_score(*alone)
        assert found[f"average_precision/{name}"] == pytest.approx(
            metrics.average_precision_score(truth[:, place], likely[:, place])
        )
    assert labelled.tested.baseline["f1_macro"] < found["f1_macro"]
    assert labelled.champion == 1


def test_a_version_is_drawn_and_its_labels_are_in_its_record(
    labelled: Life, measured: Life
) -> None:
    drawn = {
        life.name: {
            one.path for one in life.tracking.client.list_artifacts(life.version.mlflow_run_id, at)
        }
        for life, at in ((labelled, "test"), (measured, "test/length"))
    }
    assert drawn[labelled.name] >= {
        "test/labels.png",
        "test/precision_recall_curve.png",
        "test/feature_importance.png",
    }
    assert "test/length/residuals.png" in drawn[measured.name]
    assert (labelled.version.task, labelled.version.targets) == ("multilabel", LABELS)
    assert (measured.version.task, measured.version.targets) == ("multioutput_regression", SIZES)
    assert measured.version.outputs == ("double", "double")


def said_in_batch(life: Life, rows: Any, file: Path) -> Any:
    made = predict(
        pyarrow.dataset.dataset(table(rows)),
        load_predictor(life.version, tracking=life.tracking),
        PredictionForm(life.version.task, ("id",), 1),
        batch_rows=100,
        file=file,
    )
    return pyarrow.dataset.dataset(made.file).to_table().to_pandas()


def served_answer(life: Life, features: Any) -> Any:
    version = registry.version(life.name, 1, tracking=life.tracking)
    served = load(version, tracking=life.tracking, settings=ServingLimits())
    body = json.dumps({"rows": features.to_dict("records")}).encode()
    (answer,) = answer_together(served, [body])
    return json.loads(answer.body)


def test_a_batch_a_service_and_plain_mlflow_say_the_same_numbers(
    measured: Life, tmp_path: Path
) -> None:
    rows = fish(50, seed=1).drop(columns=[*SIZES])
    batch = said_in_batch(measured, rows, tmp_path / "predictions.parquet")
    said = batch[[f"prediction_{name}" for name in SIZES]].to_numpy()
    features = rows[list(measured.version.features)]
    mlflow.set_tracking_uri(measured.uri)
    plain = mlflow.pyfunc.load_model(measured.version.uri).predict(features)
    np.testing.assert_allclose(np.asarray(plain), said)
    answer = served_answer(measured, features)
    assert [[*row] for row in answer["predictions"]] == [[*SIZES]] * 50
    np.testing.assert_allclose([[*row.values()] for row in answer["predictions"]], said)
    assert answer.keys() == {"model", "version", "predictions"}


def test_a_batch_a_service_and_plain_mlflow_say_the_same_labels(
    labelled: Life, tmp_path: Path
) -> None:
    rows = mails(50, seed=1).drop(columns=[*LABELS])
    batch = said_in_batch(labelled, rows, tmp_path / "predictions.parquet")
    said = batch[[f"prediction_{name}" for name in LABELS]]
    likely = batch[[f"probability_{name}" for name in LABELS]].to_numpy()
    assert {str(one) for one in said.dtypes} == {"bool"}
    features = rows[list(labelled.version.features)]
    mlflow.set_tracking_uri(labelled.uri)
    plain = mlflow.pyfunc.load_model(labelled.version.uri).predict(features)
    np.testing.assert_array_equal(np.asarray(plain), said.to_numpy())
    answer = served_answer(labelled, features)
    assert [[*row.values()] for row in answer["predictions"]] == said.to_numpy().tolist()
    np.testing.assert_allclose([[*row.values()] for row in answer["probabilities"]], likely)
    assert [[*row] for row in answer["probabilities"]] == [[*LABELS]] * 50


def test_predictions_of_no_rows_have_the_same_columns(labelled: Life, tmp_path: Path) -> None:
    some, none = (
        said_in_batch(labelled, mails(rows, seed=1), tmp_path / f"{rows}.parquet")
        for rows in (5, 0)
    )
    assert some.dtypes.to_dict() == none.dtypes.to_dict()


def test_the_gate_compares_with_the_champion_in_slices_too(measured: Life) -> None:
    again = Life(measured.folder / "again", measured.uri, measured.name)
    again.run = 10
    again.train(sizes(search=one_trial("sklearn.linear_model.Ridge", alpha=100.0)), table(fish()))
    decision = again.decide(
        confidence=0.9, slices={"columns": ["water"], "min_rows": 20, "max_loss": 0.5}
    )
    assert decision.champion_metrics == pytest.approx(measured.tested.metrics)
    assert decision.interval is not None
    assert decision.interval.low <= decision.interval.high
    assert decision.slices is not None
    assert decision.slices.compared == 2


@pytest.mark.parametrize(
    ("make", "rows", "metric"), [(sizes, fish, "r2"), (labels, mails, "f1_macro")]
)
def test_trials_may_be_measured_by_folds(
    tmp_path: Path, mlflow_server: str, make: Callable[..., Model], rows: Any, metric: str
) -> None:
    life = Life(tmp_path, mlflow_server)
    life.train(make(split={"validation": {"folds": 3}}, trial_plots=True), table(rows()))
    found = life.training.evaluate(0)
    assert found.metrics[metric] > 0.6
    assert found.deviations[metric] > 0


def test_the_winner_is_trained_on_validation_rows_too(tmp_path: Path, mlflow_server: str) -> None:
    life = Life(tmp_path, mlflow_server)
    life.train(sizes(refit="train+validation"), table(fish()))
    again = life.training.refit(life.training.select([life.training.evaluate(0)]))
    assert life.training.test(again).metrics["r2"] > 0.6


INNER = {"estimator": {"estimator": "sklearn.linear_model.LogisticRegression"}}


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("sklearn.multioutput.MultiOutputClassifier", INNER),
        ("sklearn.multioutput.ClassifierChain", INNER),
        ("sklearn.multiclass.OneVsRestClassifier", INNER),
        ("sklearn.neighbors.KNeighborsClassifier", {}),
        ("sklearn.neural_network.MLPClassifier", {"max_iter": 50}),
        ("sklearn.linear_model.RidgeClassifier", {}),
    ],
)
def test_estimators_of_labels_say_how_probable_each_is_if_they_know(
    path: str, params: dict[str, Any], tmp_path: Path
) -> None:
    section = labels(search=one_trial(path, **params))
    split(table(mails()), section, tmp_path)
    features, target = read_part(tmp_path, "train")
    trainer = section.trainer(path)
    fitted = trainer.fit(path, params, features, target, 7).model
    trainer.check_stored(fitted, section.packages)
    said = trainer.predict(fitted, features)
    assert said.values.shape == target.shape
    assert set(np.unique(said.values)) == {0, 1}
    assert (said.probabilities is None) == path.endswith("RidgeClassifier")
    if said.probabilities is not None:
        agree = (said.probabilities > 0.5) == (said.values == 1)
        assert agree.mean() > 0.95
