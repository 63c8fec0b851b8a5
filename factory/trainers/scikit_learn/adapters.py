"""What stands between columns and scikit-learn's transformers: values, and forms of tables, as these take them.

Stored models name these classes by this module.
"""

from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

MOST_BYTES = 2 * 1024**3
"""What a sparse matrix may take once it is dense."""


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


class Categories(TransformerMixin, BaseEstimator):  # type: ignore[misc] # no types
    """Columns as the texts that estimators with categories of their own take; what is missing is a category too."""

    MISSING = "missing"

    def fit(self, rows: pd.DataFrame, target: object = None) -> Self:  # noqa: ARG002
        """Remember the columns' names."""
        self.feature_names_in_ = np.asarray(rows.columns, dtype=object)
        self.n_features_in_ = len(rows.columns)
        return self

    def transform(self, rows: pd.DataFrame) -> NDArray[np.object_]:
        """One text for each value; those of whole numbers have no fraction, whatever the column's type."""
        check_is_fitted(self)
        return np.column_stack([self._texts(rows[name]) for name in self.feature_names_in_])

    def _texts(self, column: pd.Series) -> NDArray[np.object_]:
        values = column.astype(object)
        if pd.api.types.is_float_dtype(column):
            is_whole = np.isfinite(column) & (column == np.floor(column))
            values[is_whole] = column[is_whole].map(int)
        texts = values.map(str).to_numpy(dtype=object)
        texts[column.isna().to_numpy()] = self.MISSING
        return texts

    def get_feature_names_out(self, input_features: Any = None) -> Any:  # noqa: ARG002
        """The columns' names."""
        check_is_fitted(self)
        return self.feature_names_in_


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
