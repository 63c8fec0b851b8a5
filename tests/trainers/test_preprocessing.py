import logging

import numpy as np
import pandas as pd
import pytest

from factory.base.errors import TerminalError
from factory.trainers.scikit_learn.preprocessing import (
    MOST_CATEGORIES,
    MOST_WORDS,
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


SENTENCES = [f"the {each}th parcel came {each % 3} days late" for each in range(120)]


def test_sentences_become_the_tf_idf_of_their_words(caplog):
    caplog.set_level(logging.INFO)
    frame = pd.DataFrame({"why__so": [*SENTENCES, None], "sex": ["f"] * 121})
    names = names_of(frame)
    assert {"words_why_so__late", "words_why_so__2", "texts__sex_f"} <= set(names)
    assert "why__so: sentences, of which the TF-IDF of at most 1000 words each" in caplog.text


def test_sentences_have_no_more_columns_than_the_most_frequent_words():
    frame = pd.DataFrame({"why": [f"word{each} is a{each} and b{each}" for each in range(900)]})
    transformer = default_preprocessing(frame).fit(frame)
    assert len(transformer.get_feature_names_out()) == MOST_WORDS
    assert "words_why__is" in transformer.get_feature_names_out()
    assert transformer.transform(pd.DataFrame({"why": [None]})).tolist() == [[0.0] * MOST_WORDS]


def test_few_sentences_and_many_short_texts_stay_categories():
    few = pd.DataFrame({"why": SENTENCES[:90]})
    short = pd.DataFrame({"city": [f"city {each}" for each in range(300)]})
    assert [len(names_of(frame)) for frame in (few, short)] == [MOST_CATEGORIES] * 2


def test_texts_without_a_word_stay_categories():
    frame = pd.DataFrame({"signs": ["! " * each for each in range(3, 203)]})
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
