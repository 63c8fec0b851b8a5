"""fastai on tables."""

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_diabetes

from factory.base.errors import TerminalError
from factory.trainers.fastai.params import TABULAR
from factory.trainers.fastai.stored import NumberColumn, TextColumn
from factory.trainers.fastai.tabular import describe_columns, encode_columns
from factory.trainers.fastai.trainer import FastaiTrainer


def classifier():
    return FastaiTrainer("classification")


def rows(count=400, seed=0):
    """Numbers with gaps, texts, points in time; the class follows from `size` and `kind`."""
    random = np.random.default_rng(seed)
    size = random.normal(100, 20, count)
    kind = random.choice(["red", "green", "blue"], count)
    target = np.where((size > 100) ^ (kind == "red"), "yes", "no").astype(object)
    size[random.random(count) < 0.1] = np.nan
    frame = pd.DataFrame(
        {
            "size": size,
            "kind": kind,
            "born": pd.Timestamp("2020-01-01")
            + pd.to_timedelta(random.integers(0, 900, count), "D"),
            "empty": np.full(count, np.nan),
        }
    )
    return frame, target


@pytest.fixture(scope="module")
def fitted():
    return classifier().fit(TABULAR, {"epochs": 12, "lr": 0.02, "bs": 32}, *rows(), 5, rows(100, 1))


def test_classes_are_learned_from_numbers_and_texts(fitted):
    features, target = rows(200, 2)
    found = classifier().predict(fitted.model, features)
    assert (found.values == target).mean() > 0.8
    assert found.classes.tolist() == ["no", "yes"]
    assert len(fitted.history) == 12


def test_the_columns_are_prepared_as_fastai_prepares_them():
    """Against fastai's own procs, which live on as objects that are pickled."""
    from fastai.tabular.core import Categorify, FillMissing, Normalize, TabularPandas

    features = rows()[0][["size", "kind"]].assign(weight=np.arange(400.0))
    features.loc[5, "kind"] = None
    theirs = TabularPandas(
        features.copy(),
        procs=[Categorify, FillMissing, Normalize],
        cat_names=["kind"],
        cont_names=["size", "weight"],
    )
    places, numbers = encode_columns(describe_columns(features), features)
    assert (places == theirs.cats.to_numpy()).all()
    assert np.allclose(numbers, theirs.conts.to_numpy(), atol=1e-5)


def test_what_was_never_seen_in_training_is_predicted_all_the_same(fitted):
    features, _ = rows(4, 3)
    strange = features.assign(kind=["violet", None, "red", "red"], born=pd.NaT, size=np.nan)
    assert len(classifier().predict(fitted.model, strange).values) == 4
    described = describe_columns(features[["kind"]])
    places, _ = encode_columns(described, strange)
    assert places[:2, 0].tolist() == [0, 0]


def test_columns_without_a_value_are_left_out_and_gaps_are_flagged():
    described = {each.name: each for each in describe_columns(rows()[0])}
    assert set(described) == {"size", "kind", "born"}
    assert isinstance(described["size"], NumberColumn)
    assert described["size"].flagged
    assert isinstance(described["kind"], TextColumn)
    assert described["kind"].categories == ("blue", "green", "red")
    with pytest.raises(TerminalError, match="none of empty has a value"):
        describe_columns(rows()[0][["empty"]])


def test_the_same_seed_gives_the_same_weights():
    import torch

    first, second = (
        classifier()
        .fit(TABULAR, {"epochs": 2}, *rows(100), 5, rows(50, 1))
        .model.network.state_dict()
        for _ in range(2)
    )
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_stored_model_predicts_the_same_to_the_last_bit(fitted, tmp_path):
    classifier().save(fitted.model, tmp_path / "0.safetensors")
    again = classifier().load(tmp_path / "0.safetensors")
    features, _ = rows(50, 2)
    here = classifier().predict(fitted.model, features).probabilities
    assert (classifier().predict(again, features).probabilities == here).all()


def test_numbers_are_predicted_in_their_own_scale():
    data = load_diabetes(as_frame=True)
    trainer = FastaiTrainer("regression")
    target = data.target.to_numpy()
    params = {"epochs": 15, "lr": 0.01, "layers": [50, 20]}
    fitted = trainer.fit(
        TABULAR, params, data.data[:350], target[:350], 1, (data.data[350:], target[350:])
    )
    found = trainer.predict(fitted.model, data.data[350:])
    assert np.corrcoef(found.values, target[350:])[0, 1] > 0.5
    assert abs(found.values.mean() - target.mean()) < 30
    error = np.abs(found.values - target[350:]).mean()
    assert fitted.history[-1]["valid_mean_absolute_error"] == pytest.approx(error, rel=1e-3)


@pytest.mark.parametrize("labels", [[0, 1], [True, False]])
def test_classes_keep_their_type(labels):
    features, target = rows(60)
    classes = np.where(target == "yes", *labels)
    fitted = classifier().fit(TABULAR, {"epochs": 1}, features, classes, 1, None)
    assert classifier().predict(fitted.model, features).values.dtype == classes.dtype


def test_a_class_that_only_validation_rows_have_is_named():
    features, target = rows(20)
    other = (features, np.array(["maybe"] * 20, dtype=object))
    with pytest.raises(TerminalError, match="rows of the classes maybe, which no training row has"):
        classifier().fit(TABULAR, {"epochs": 1}, features, target, 1, other)


def test_a_missing_column_is_named(fitted):
    with pytest.raises(TerminalError, match="the rows have no column 'kind'"):
        classifier().predict(fitted.model, rows(5)[0].drop(columns="kind"))


def test_a_parameter_that_is_not_known_is_named():
    with pytest.raises(TerminalError, match="`depth`: Extra inputs are not permitted"):
        classifier().fit(TABULAR, {"depth": 3}, *rows(10), 1, None)
