import numpy as np
import pandas as pd
import pytest

from factory.base.errors import TerminalError
from factory.trainers.scikit_learn.preprocessing import (
    MOST_CATEGORIES,
    DateParts,
    default_preprocessing,
)


def names_of(frame):
    return list(default_preprocessing(frame).fit(frame).get_feature_names_out())


def test_numbers_are_imputed_by_their_median_and_scaled():
    frame = pd.DataFrame({"x": [0.0, 2.0, np.nan, 4.0]})
    found = default_preprocessing(frame).fit_transform(frame).ravel()
    assert found.mean() == pytest.approx(0)
    assert found.std() == pytest.approx(1)
    assert found[2] == found[1]


def test_texts_become_one_column_each_and_unknown_ones_none():
    train = pd.DataFrame({"sex": ["f", "m", "m", None]})
    transformer = default_preprocessing(train).fit(train)
    rows = pd.DataFrame({"sex": ["f", None, "other"]})
    assert transformer.transform(rows).tolist() == [[1, 0], [0, 1], [0, 0]]


def test_rare_categories_share_a_column():
    frame = pd.DataFrame({"id": [f"id{n}" for n in range(1000)]})
    assert len(names_of(frame)) == MOST_CATEGORIES


def test_points_in_time_become_parts():
    frame = pd.DataFrame({"at": pd.to_datetime(["1970-01-02 12:00", None])})
    parts = DateParts().fit(frame)
    assert parts.transform(frame)[0].tolist() == [1.5, 1, 4, 12]
    assert np.isnan(parts.transform(frame)[1]).all()
    assert list(parts.get_feature_names_out()) == ["at_day", "at_month", "at_weekday", "at_hour"]


def test_columns_without_a_value_are_left_out(caplog):
    frame = pd.DataFrame({"x": [1.0, 2.0], "nothing": [np.nan, np.nan]})
    assert names_of(frame) == ["numbers__x"]
    assert "Left out columns without any value: nothing" in caplog.text


def test_nothing_to_learn_from_is_terminal():
    with pytest.raises(TerminalError, match="none of nothing has a value"):
        default_preprocessing(pd.DataFrame({"nothing": [np.nan]}))
