"""The default preprocessing: what turns a table's columns into numbers that any estimator takes."""

import logging
from collections.abc import Iterator
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.utils.validation import check_is_fitted

from factory.base.errors import TerminalError
from factory.base.texts import one_of
from factory.data.roles import are_sentences
from factory.trainers.scikit_learn.adapters import TextColumn
from factory.trainers.step_names import unique_names

logger = logging.getLogger(__name__)

MOST_CATEGORIES = 50
"""Columns of a one-hot encoding at most; rarer categories share the last one."""
MOST_WORDS = 1000
"""Columns at most that a column of sentences becomes."""
_MOST_BYTES = 1024**3
"""What the columns of all words of the training rows may take, which are dense."""
_ANY_WORD = r"(?u)\b\w+\b"
"""Of one character too, unlike scikit-learn's: there is always one."""


def default_preprocessing(features: pd.DataFrame) -> ColumnTransformer:
    """An unfitted transformer for these columns.

    Numbers: missing ones become the median, then mean 0 and variance 1. Texts: missing ones become
    the most frequent, then one-hot, with rare and unknown ones in a column of their own. Sentences, see
    `factory.data.roles.are_sentences`: the TF-IDF of their most frequent words, 1,000 at most. Points in time: see
    `DateParts`. Columns without any value are left out.

    Args:
        features: The training rows.

    Raises:
        TerminalError: No column has a value.
    """
    used = features.drop(columns=without_values(features))
    numbers = list(used.select_dtypes("number").columns)
    times = list(used.select_dtypes("datetime").columns)
    texts = [name for name in used if name not in numbers and name not in times]
    sentences = [str(name) for name in texts if _holds_sentences(used[name])]
    texts = [name for name in texts if name not in sentences]
    blocks = [
        ("numbers", Pipeline([("impute", _median()), ("scale", StandardScaler())]), numbers),
        (
            "times",
            Pipeline([("parts", DateParts()), ("impute", _median()), ("scale", StandardScaler())]),
            times,
        ),
        (
            "texts",
            Pipeline(
                [
                    ("impute", SimpleImputer(strategy="most_frequent")),
                    ("encode", _one_hot()),
                ]
            ),
            texts,
        ),
        *_of_sentences(sentences, len(features)),
    ]
    filled = [block for block in blocks if block[2]]
    if not filled:
        raise TerminalError(
            f"features: none of {', '.join(map(str, features))} has a value to learn from"
        )
    # Dense, because several estimators (trees with histograms, naive Bayes) take nothing else.
    return ColumnTransformer(filled, sparse_threshold=0)


def _holds_sentences(column: pd.Series) -> bool:
    values = column.dropna().astype(str)
    return are_sentences(values) and bool(values.str.contains(r"\w").any())


def _of_sentences(columns: list[str], rows: int) -> Iterator[tuple[str, Pipeline, list[str]]]:
    """For each column a block that counts its words; fewer of them where many rows would fill the memory."""
    if not columns:
        return
    most = min(MOST_WORDS, max(MOST_CATEGORIES, _MOST_BYTES // (8 * rows * len(columns))))
    logger.info(
        "%s: sentences, of which the TF-IDF of at most %d words each is learned from",
        one_of(columns, 12),
        most,
    )
    names = unique_names(f"words_{name.replace('__', '_')}" for name in columns)
    for name, column in zip(names, columns, strict=True):
        words = TfidfVectorizer(max_features=most, token_pattern=_ANY_WORD)
        yield name, Pipeline([("column", TextColumn()), ("words", words)]), [column]


def without_values(features: pd.DataFrame) -> list[str]:
    """The columns without any value, of which a word is logged."""
    empty = [name for name in features.columns if features[name].isna().all()]
    if empty:
        logger.warning("Left out columns without any value: %s", ", ".join(map(str, empty)))
    return empty


def _median() -> SimpleImputer:
    return SimpleImputer(strategy="median")


def _one_hot() -> OneHotEncoder:
    return OneHotEncoder(
        handle_unknown="infrequent_if_exist",
        max_categories=MOST_CATEGORIES,
        sparse_output=False,
    )


class DateParts(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Points in time as numbers: days since 1970 (with the time of day), month, weekday, hour.

    Months count from 1, weekdays from 0 (Monday); missing points become NaN.
    """

    PARTS = ("day", "month", "weekday", "hour")

    def fit(self, times: pd.DataFrame, target: object = None) -> Self:  # noqa: ARG002
        """Remember the columns' names."""
        self.feature_names_in_ = np.asarray(times.columns, dtype=object)
        self.n_features_in_ = len(times.columns)
        return self

    def transform(self, times: pd.DataFrame) -> NDArray[np.float64]:
        """Four numbers for each column."""
        check_is_fitted(self)
        parts = []
        for name in self.feature_names_in_:
            column = pd.to_datetime(times[name])
            days = (column - pd.Timestamp(0)) / pd.Timedelta(days=1)
            of_date = column.dt
            parts.extend([days, of_date.month, of_date.weekday, of_date.hour])
        return np.column_stack([part.to_numpy(dtype=np.float64) for part in parts])

    def get_feature_names_out(self, input_features: object = None) -> NDArray[np.object_]:  # noqa: ARG002
        """Names such as `born_month`."""
        check_is_fitted(self)
        return np.asarray(
            [f"{name}_{part}" for name in self.feature_names_in_ for part in self.PARTS],
            dtype=object,
        )
