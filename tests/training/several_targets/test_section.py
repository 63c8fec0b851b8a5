"""What may be written of models with several targets, what it comes to, and what is refused with which words."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from factory.base.errors import TerminalError
from factory.training.division import PARTS
from factory.training.split import read_part, split
from tests.training.models import model, one_trial, regression
from tests.training.several_targets.fish import LABELS, SIZES, fish, labels, mails, sizes, table


def test_a_list_of_targets_is_a_regression_of_several_and_one_target_is_none() -> None:
    several, one = sizes(), sizes(target="length")
    assert several.learning_task.name == "multioutput_regression"
    assert (several.target_columns, several.targets_together) == (SIZES, SIZES)
    assert one.learning_task.name == "regression"
    assert (one.target_columns, one.targets_together) == (("length",), ())
    assert several.task_in_words == "regression of `length`, `weight`"


def test_predictions_have_columns_for_each_target() -> None:
    predict = {"input": "mails", "keep": ["id"]}
    assert sizes(predict=predict).prediction_columns == (
        *("id", "prediction_length", "prediction_weight"),
        *("model_version", "input_version"),
    )
    found = labels(predict=predict).added_columns
    assert [*found.items()][:4] == [
        ("prediction_spam", "BOOLEAN"),
        ("prediction_urgent", "BOOLEAN"),
        ("prediction_billing", "BOOLEAN"),
        ("probability_spam", "DOUBLE"),
    ]


def test_metrics_of_each_target_may_be_named_wherever_metrics_are() -> None:
    section = labels(
        objective={"metric": "f1/spam"},
        promotion={"require": {"recall/urgent": {"min": 0.5}}},
    )
    assert section.objective_metric.target == 0
    names = [metric.name for metric in section.computed_metrics]
    assert {"f1_samples", "hamming_loss", "accuracy", "average_precision/billing"} <= {*names}
    assert "r2/weight" in [metric.name for metric in sizes().computed_metrics]
    assert len(names) == len(set(names))


def test_a_model_of_one_target_keeps_its_hash() -> None:
    assert model().config_hash == model(target="species").config_hash
    assert regression().config_hash != sizes().config_hash
    assert sizes().config_hash != sizes(target=["weight", "length"]).config_hash
    again = type(sizes()).model_validate(sizes().as_trained())
    assert again.config_hash == sizes().config_hash


@pytest.mark.parametrize(
    ("make", "changes", "message"),
    [
        (sizes, {"target": ["length"]}, "a list of targets has two or more, and this one has 1"),
        (sizes, {"target": []}, "a list of targets has two or more, and this one has 0"),
        (sizes, {"target": ["length", "weight", "length"]}, "'length' is named twice"),
        (sizes, {"features": ["age", "weight"]}, "the target 'weight' is among the features"),
        (sizes, {"target_transform": "log1p"}, "`target_transform` is for models of one target"),
        (sizes, {"weights": "weight"}, "the target 'weight' cannot be the weight too"),
        (sizes, {"entities": {"column": "water"}}, "`entities` is for models of one target"),
        (sizes, {"split": {"method": "stratified"}}, "`method: stratified` needs classes"),
        (sizes, {"positive": 1}, "`positive` is a class, and a regression has none"),
        (sizes, {"objective": {"metric": "max_error"}}, "'max_error' is not computed for"),
        (sizes, {"predict": {"input": "fish", "interval": 0.9}}, "intervals are for regressions"),
        (sizes, {"predict": {"input": "fish", "explain": 2}}, "`explain` is for models of one"),
        (
            sizes,
            {"predict": {"input": "fish", "keep": ["prediction_length"]}},
            "'prediction_length' cannot be kept",
        ),
        (
            sizes,
            {"search": one_trial("fastai.tabular.learner.tabular_learner")},
            "has no estimators for a regression of several targets",
        ),
        (
            sizes,
            {"monitor": {"truth": {"dataset": "known", "keys": ["id"], "column": "length"}}},
            "`column` is for models of one target",
        ),
        (
            sizes,
            {"deploy": {"type": "process", "smoke_test": {"rows": [{"age": 1}], "expect": 3}}},
            "`expect` is for models of one target",
        ),
        (labels, {"target": "spam"}, "learns several labels, and `target` names one column"),
        (labels, {"target": None}, "learns from a `target`, and there is none"),
        (labels, {"class_weight": "balanced"}, "`class_weight` is for models of one target"),
        (labels, {"promotion": {"fairness": {"columns": ["links"]}}}, "fairness"),
        (labels, {"objective": {"metric": "balanced_accuracy"}}, "is not computed for multilabel"),
        (
            labels,
            {"resample": {"sampler": "imblearn.over_sampling.RandomOverSampler"}},
            "`resample` is for models of one target",
        ),
        (
            labels,
            {"predict": {"input": "mails", "probabilities": "all"}},
            "have the probability of each label anyway",
        ),
        (
            model,
            {"target": ["species", "island"]},
            "a classification learns one target, and `target` is a list",
        ),
    ],
)
def test_what_does_not_go_with_several_targets_is_refused(
    make: Any, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        make(**changes)


def test_targets_are_the_last_columns_of_each_part(tmp_path: Path) -> None:
    rows = fish()
    rows.loc[:9, "weight"] = None
    divided = split(table(rows), sizes(), tmp_path)
    features, target = read_part(tmp_path, "train")
    assert [*features] == ["age", "water"]
    assert target.shape == (len(features), 2)
    assert (divided.target, divided.dropped) == (SIZES, 10)
    together = np.concatenate([read_part(tmp_path, part)[1] for part in PARTS])
    expected = rows.dropna()[[*SIZES]].to_numpy()
    np.testing.assert_allclose(np.sort(together, axis=0), np.sort(expected, axis=0))


def test_labels_are_true_and_false_one_and_zero_or_yes_and_no(tmp_path: Path) -> None:
    rows = mails()
    divided = split(table(rows), labels(), tmp_path)
    known = [read_part(tmp_path, part)[1] for part in PARTS]
    together = np.concatenate(known)
    assert together.dtype == np.int64
    has = [rows["spam"].sum(), (rows["urgent"] == "yes").sum(), rows["billing"].sum()]
    assert together.sum(axis=0).tolist() == has
    assert divided.classes["train"] == dict(zip(LABELS, known[0].sum(axis=0), strict=True))


def test_the_order_in_which_rows_come_makes_no_difference(tmp_path: Path) -> None:
    for name, rows in (("one", mails()), ("other", mails().sample(frac=1, random_state=3))):
        split(table(rows), labels(), tmp_path / name)
    one, other = (read_part(tmp_path / name, "test")[1] for name in ("one", "other"))
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows.assign(urgent="soon"), "it holds 'soon': make a boolean of it"),
        (lambda rows: rows.assign(billing=2), "it holds 2: make a boolean of it"),
        (lambda rows: rows.assign(billing=0.5), "it holds 0.5: make a boolean of it"),
        (lambda rows: rows.assign(spam=False), "no row has the label 'spam'"),
        (lambda rows: rows.assign(spam=True), "every row has the label 'spam'"),
        (lambda rows: rows.assign(urgent=[["yes"]] * 400), "make a column of each label"),
        (lambda rows: rows.assign(spam=None), "none of the 400 rows has a value in"),
        (lambda rows: rows.drop(columns=["urgent"]), "urgent"),
        (lambda rows: rows.assign(spam=rows["id"] == 3), "training rows have the label 'spam'"),
    ],
)
def test_what_is_no_label_is_refused_in_words(tmp_path: Path, change: Any, message: str) -> None:
    time = {"split": {"method": "time", "column": "id"}}
    rows = change(mails()).sort_values("id", ascending=False)
    rows["id"] = np.arange(len(rows))
    with pytest.raises(TerminalError, match=message):
        split(table(rows), labels(**time), tmp_path)


def test_numbers_that_are_none_are_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(TerminalError, match="a regression predicts numbers"):
        split(table(fish()), sizes(target=["length", "water"], features=["age"]), tmp_path)


def test_a_feature_that_tells_one_of_the_targets_is_found(tmp_path: Path) -> None:
    rows = fish().assign(grams=lambda of: 1000 * of["weight"])
    features = ["age", "water", "grams"]
    found = split(table(rows), sizes(features=features), tmp_path).findings
    [leak] = [one.text for one in found if one.guard == "leakage"]
    assert "'grams'" in leak
    assert "'weight'" in leak
    copied = mails().assign(late=lambda of: of["urgent"] == "yes")
    found = split(table(copied), labels(features=["links", "late"]), tmp_path).findings
    assert ["'urgent'" in one.text for one in found if one.guard == "leakage"] == [True]
