"""Build what `preprocessing` lists: scikit-learn's ColumnTransformer, and what follows on its whole output."""

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

from factory.base.errors import TerminalError
from factory.base.objects import Component
from factory.base.texts import did_you_mean, one_of
from factory.trainers.column_steps import (
    ColumnSteps,
    Entries,
    Step,
    entry_names,
    named_columns,
    taken,
    transformer_names,
    unique_names,
)
from factory.trainers.scikit_learn.preprocessing import default_preprocessing, without_values

logger = logging.getLogger(__name__)

MOST_BYTES = 2 * 1024**3
"""What a sparse matrix may take once it is dense."""

Make = Callable[[Step], Component]
"""Makes the unfitted transformer of a step."""
Named = tuple[str, Component]


def prepared_columns(
    features: pd.DataFrame, entries: Entries, make: Make, estimator: Component
) -> Pipeline:
    """An unfitted pipeline that prepares these columns as the entries say.

    Args:
        features: The training rows.
        entries: What is done to which columns; those that none takes are prepared as by default.
        make: Makes a transformer.
        estimator: What the columns are prepared for, unfitted.

    Raises:
        TerminalError: A named column is not there, none is left, or a transformer cannot be made.
    """
    blocks = list(_blocks(features, entries, make))
    if all(block[1] == "drop" for block in blocks):
        raise TerminalError("preprocessing: no column is left to learn from")
    columns = ColumnTransformer(blocks)
    whole = [
        (name, make(step))
        for entry in entries
        if entry.columns is None
        for name, step in zip(transformer_names(entry), entry.transformers, strict=True)
    ]
    names = unique_names((name for name, _ in whole), ("columns", "dense"))
    steps = [("columns", columns), *zip(names, (one for _, one in whole), strict=True)]
    return Pipeline(_dense_where_needed([*steps, ("estimator", estimator)])[:-1])


def _blocks(
    features: pd.DataFrame, entries: Entries, make: Make
) -> Iterable[tuple[str, Component, list[str]]]:
    _require([column for _, column in named_columns(entries)], list(features.columns))
    empty = without_values(features)
    left = {name: kind_of(features[name]) for name in features.columns if name not in empty}
    names: set[str] = set()
    for name, entry in zip(entry_names(entries), entries, strict=True):
        if entry.columns is None:
            continue
        found = taken(entry, left)
        left = {column: kind for column, kind in left.items() if column not in found}
        if not found:
            logger.log(
                _level(entry), "preprocessing: no column is left for %s", entry.columns_in_words
            )
            continue
        for block in _of_entry(name, entry, features[found], make):
            [unique] = unique_names([block[0]], names)
            names.add(unique)
            yield unique, *block[1:]
    if left:
        logger.info("preprocessing: %s as by default", one_of(list(left), 12))
        yield "default", default_preprocessing(features[list(left)]), list(left)


def _level(entry: ColumnSteps) -> int:
    """How loud to say that an entry takes nothing: `rest` is there in case that something is left."""
    return logging.INFO if entry.columns == "rest" else logging.WARNING


def _require(named: Sequence[str], columns: list[str]) -> None:
    for name in named:
        if name not in columns:
            advice = did_you_mean(name, columns, f"they are {one_of(columns, 12)}")
            raise TerminalError(f"preprocessing: {name!r} is none of the features: {advice}")


def kind_of(column: pd.Series) -> str:
    """What a column holds: one of the kinds that an entry's `columns` may name."""
    types = pd.api.types
    if types.is_bool_dtype(column) or _holds_booleans(column):
        return "booleans"
    if types.is_numeric_dtype(column):
        return "numbers"
    return "times" if types.is_datetime64_any_dtype(column) else "texts"


def _holds_booleans(column: pd.Series) -> bool:
    """Whether these are truth values of which some are missing."""
    return column.dtype == object and pd.api.types.infer_dtype(column, skipna=True) == "boolean"


def _of_entry(
    name: str, entry: ColumnSteps, rows: pd.DataFrame, make: Make
) -> Iterable[tuple[str, Component, list[str]]]:
    columns = [str(column) for column in rows]
    first = [("values", PlainValues())] if _has_other_than_numbers(rows) else []
    if isinstance(entry.steps, str):
        is_kept = entry.steps == "passthrough"
        yield name, Pipeline(first) if first and is_kept else entry.steps, columns
        return
    names = transformer_names(entry)
    if not any(_reads_texts(make(step)) for step in entry.transformers):
        named = zip(names, map(make, entry.transformers), strict=True)
        yield name, Pipeline(_dense_where_needed([*first, *named])), columns
        return
    for column in columns:
        each = name if len(columns) == 1 else f"{name}_{column.replace('__', '_')}"
        named = zip(names, map(make, entry.transformers), strict=True)
        yield each, Pipeline(_dense_where_needed(_with_text_column(named))), [column]


def _has_other_than_numbers(rows: pd.DataFrame) -> bool:
    return any(kind_of(rows[column]) in ("booleans", "texts") for column in rows)


def _with_text_column(steps: Iterable[Named]) -> list[Named]:
    found: list[Named] = []
    for name, transformer in steps:
        if _reads_texts(transformer):
            found.append(("column", TextColumn()))
        found.append((name, transformer))
    return found


def _reads_texts(transformer: Component) -> bool:
    """Whether it takes one column of texts, and not a table."""
    return isinstance(transformer, (CountVectorizer, HashingVectorizer))


def _dense_where_needed(steps: Sequence[Named]) -> list[Named]:
    """The steps, with one that makes dense what may be sparse before the first that takes no sparse matrix."""
    found: list[Named] = []
    is_sparse = False
    for name, one in steps:
        if is_sparse and not _takes_sparse(one):
            found.append(("dense", Dense()))
            is_sparse = False
        found.append((name, one))
        is_sparse = is_sparse or _may_make_sparse(one)
    return found


def _takes_sparse(component: Component) -> bool:
    try:
        return bool(get_tags(component).input_tags.sparse)
    except (AttributeError, TypeError):  # estimators of other packages need not say
        return False


def _may_make_sparse(component: Component) -> bool:
    parts = (component, *component.get_params(deep=True).values())
    return any(_makes_sparse(part) for part in parts)


def _makes_sparse(component: Component) -> bool:
    if isinstance(component, (CountVectorizer, HashingVectorizer)):
        return True
    is_asked = getattr(component, "sparse_output", False) or getattr(component, "sparse", False)
    return bool(is_asked) or getattr(component, "encode", None) == "onehot"


class PlainValues(TransformerMixin, BaseEstimator):  # type: ignore[misc] # no types
    """Columns whose missing values are NaN, as scikit-learn looks for them; truth values become 1 and 0."""

    def fit(self, rows: pd.DataFrame, target: object = None) -> Self:  # noqa: ARG002
        """Remember the columns, and which of them are truth values."""
        self.feature_names_in_ = np.asarray(rows.columns, dtype=object)
        self.n_features_in_ = len(rows.columns)
        self.booleans_ = [name for name in rows if kind_of(rows[name]) == "booleans"]
        return self

    def transform(self, rows: pd.DataFrame) -> pd.DataFrame:
        """The same columns."""
        check_is_fitted(self)
        return pd.DataFrame({name: self._plain(rows[name]) for name in self.feature_names_in_})

    def _plain(self, column: pd.Series) -> pd.Series:
        if column.name in self.booleans_:
            return column.astype("float64")
        return column.where(column.notna(), np.nan) if column.dtype == object else column

    def get_feature_names_out(self, input_features: object = None) -> NDArray[np.object_]:  # noqa: ARG002
        """The columns' names."""
        check_is_fitted(self)
        return self.feature_names_in_


class TextColumn(TransformerMixin, BaseEstimator):  # type: ignore[misc] # no types
    """A table of one column as the list of texts that scikit-learn's vectorizers take; missing ones become empty."""

    def fit(self, rows: Any, target: object = None) -> Self:  # noqa: ARG002
        """Look at the number of columns."""
        self.n_features_in_ = np.asarray(rows).reshape(len(rows), -1).shape[1]
        if self.n_features_in_ != 1:
            raise ValueError(
                f"texts are read from one column, and the step before makes {self.n_features_in_}"
            )
        return self

    def transform(self, rows: Any) -> NDArray[np.object_]:
        """One text a row."""
        check_is_fitted(self)
        column = rows.iloc[:, 0] if isinstance(rows, pd.DataFrame) else pd.Series(rows[:, 0])
        is_missing = column.isna().to_numpy()
        texts = column.astype(object).map(str).to_numpy(dtype=object)
        texts[is_missing] = ""
        return texts

    def get_feature_names_out(self, input_features: Any = None) -> Any:
        """The column's name."""
        return input_features


class Dense(TransformerMixin, BaseEstimator):  # type: ignore[misc] # no types
    """A sparse matrix as a dense one, if it is one; refused in training where that takes too much memory.

    Args:
        most_bytes: What the training rows may take.
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self.most_bytes = most_bytes

    def fit(self, rows: Any, target: object = None) -> Self:  # noqa: ARG002
        """Look at the size.

        Raises:
            ValueError: The rows take too much.
        """
        count, self.n_features_in_ = rows.shape
        size = count * self.n_features_in_ * rows.dtype.itemsize if sparse.issparse(rows) else 0
        if size > self.most_bytes:
            raise ValueError(
                f"{self.n_features_in_:,} columns of {count:,} rows, of which nearly all values are 0, would take "
                f"{size / 1024**3:.1f} GiB for a step that takes no sparse matrix, more than "
                f"{self.most_bytes / 1024**3:.1f}: lower `max_features` or `n_features`, end `preprocessing` with "
                "{steps: [{transformer: sklearn.decomposition.TruncatedSVD, params: {n_components: 100}}]}, or "
                "name an estimator that takes sparse ones, such as LogisticRegression"
            )
        return self

    def transform(self, rows: Any) -> Any:
        """The rows, dense."""
        check_is_fitted(self)
        return rows.toarray() if sparse.issparse(rows) else rows

    def get_feature_names_out(self, input_features: Any = None) -> Any:
        """The names as they came."""
        return input_features
