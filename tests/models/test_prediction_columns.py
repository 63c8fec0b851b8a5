"""The names of columns, and what a section may ask for."""

import pytest
from pydantic import ValidationError

from factory.models.predict import Predict
from factory.models.prediction_columns import class_columns
from factory.training.tasks import TASKS


def test_columns_are_named_after_classes():
    assert class_columns(["Adelie", 3, True, "on time", "größer", -1]) == {
        "probability_Adelie": "Adelie",
        "probability_3": 3,
        "probability_true": True,
        "probability_on_time": "on time",
        "probability_größer": "größer",
        "probability__1": -1,
    }


def test_classes_of_one_name_are_numbered():
    assert list(class_columns(["a-b", "A b", "a_b_2", "a/b"])) == [
        *("probability_a_b", "probability_A_b_2", "probability_a_b_2_2", "probability_a_b_3")
    ]


def test_columns_follow_from_the_section():
    section = Predict.model_validate(
        {"input": "a", "keep": ["id"], "probabilities": ["late", "on time"], "explain": 2}
    )
    assert tuple(section.added_columns(TASKS["classification"])) == (
        *("prediction", "probability", "probability_late", "probability_on_time"),
        *("feature_1", "contribution_1", "feature_2", "contribution_2"),
        *("model_version", "input_version"),
    )
    assert not section.has_columns_of_the_model
    interval = Predict.model_validate({"input": "a", "interval": 0.9})
    assert tuple(interval.added_columns(TASKS["regression"])) == (
        *("prediction", "lower", "upper", "model_version", "input_version"),
    )


def test_column_is_reserved_only_where_it_is_asked_for():
    kept = Predict.model_validate({"input": "a", "keep": ["lower", "feature_1"]})
    assert kept.keep == ("lower", "feature_1")
    for asked in ({"interval": 0.9}, {"explain": {"features": 1}}):
        with pytest.raises(ValidationError, match="have a column of their own"):
            Predict.model_validate({"input": "a", "keep": ["lower", "feature_1"], **asked})
