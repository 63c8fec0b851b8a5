"""Guards that look at one feature at a time."""

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from factory.base.texts import one_of
from factory.data.roles import (
    FEWEST_ROWS,
    NEARLY_ALL,
    SENTENCES,
    WORDS,
    are_sentences,
    names_rows,
    words,
)
from factory.training.guard.finding import Action, Guard, GuardFinding

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

_SAMPLE = 20_000
"""Rows that are looked at."""
_FOLDS = 5
_LEAVES = 256
_NAMED = 8
"""Features that one message names."""


@dataclass(frozen=True, eq=False)
class Columns:
    """Some rows' features and target, in the forms that models are trained on."""

    table: "pa.Table"
    targets: tuple[str, ...]
    """None where rows have none; several where these are learned together."""
    has_classes: bool
    takes_texts_as_categories: bool
    """Whether each text is a category of its own to the model."""

    @property
    def features(self) -> tuple[str, ...]:
        """The features' names."""
        return tuple(name for name in self.table.column_names if name not in self.targets)


def sampled(table: "pa.Table", rows: int = _SAMPLE) -> "pa.Table":
    """At most so many rows, from all over the table."""
    import numpy as np

    if table.num_rows <= rows:
        return table
    return table.take(np.linspace(0, table.num_rows - 1, rows, dtype=np.int64))


class FeatureGuard(Guard):
    """A guard that looks at one feature at a time; models of images have none."""

    @abstractmethod
    def look(self, columns: Columns) -> Iterator[GuardFinding]:
        """What it finds about them."""


class Leakage(FeatureGuard):
    """A feature that alone tells the target almost perfectly: a copy of it, or known only once it is.

    It is tried with five-fold cross-validation on at most 20,000 rows: a small decision tree, for a number a straight
    line and the ranks too.
    """

    NAME: ClassVar[str] = "leakage"

    action: Action = "halt"
    balanced_accuracy: float = Field(default=0.99, gt=0, le=1)
    """From what on a feature that alone reaches it tells a class too well."""
    r2: float = Field(default=0.999, gt=0, le=1)
    """From what on a feature that alone reaches it tells a number too well."""

    def look(self, columns: Columns) -> Iterator[GuardFinding]:
        """A finding of each target for all features that tell too much."""
        for target in columns.targets:
            yield from self._look(columns, target)

    def _look(self, columns: Columns, target: str) -> Iterator[GuardFinding]:
        if found := self.telling(columns, target):
            metric = "balanced accuracy" if columns.has_classes else "R²"
            named = one_of(
                (f"{name!r} ({metric} {score:.4g})" for name, score in found.items()), _NAMED
            )
            alone = "alone tells" if len(found) == 1 else "each alone tell"
            yield self.found(
                f"{named} {alone} {target!r} almost perfectly: if it is known only once the "
                "target is, leave it out of `features`; if it is really known before, write "
                "`leakage: warn`"
            )

    def telling(self, columns: Columns, target: str) -> dict[str, float]:
        """The features that alone tell a target too well, and how well each does."""
        limit = self.balanced_accuracy if columns.has_classes else self.r2
        truth = columns.table.column(target).to_numpy()
        scores = {name: _alone(columns, truth, name) for name in columns.features}
        return {name: score for name, score in scores.items() if score >= limit}


def _alone(columns: Columns, target: "NDArray[Any]", name: str) -> float:
    """How well a feature tells the target of rows that were not learned from; at most 1."""
    import numpy as np
    from sklearn.metrics import balanced_accuracy_score, r2_score

    if len(target) < 2 * _FOLDS:
        return 0.0
    if columns.has_classes:
        target = np.unique(target, return_inverse=True)[1]
    values = _numbers(columns.table.column(name))
    if len(np.unique(values[~np.isnan(values)])) + bool(np.isnan(values).any()) < 2:
        return 0.0
    is_text = columns.table.schema.field(name).type in _texts()
    fold = np.arange(len(target)) % _FOLDS
    told = np.empty(len(target))
    for at in range(_FOLDS):
        known, asked = fold != at, fold == at
        tell = _by_category if is_text else _by_tree
        told[asked] = tell(
            values[known], target[known], values[asked], has_classes=columns.has_classes
        )
    if columns.has_classes:
        return float(balanced_accuracy_score(target, told.astype(target.dtype)))
    best = float(r2_score(target, told))
    return best if is_text else max(best, _along_a_line(values, target))


def _texts() -> tuple[Any, ...]:
    from factory.data.columns import TEXT

    return (TEXT,)


def _numbers(column: "pa.ChunkedArray") -> "NDArray[Any]":
    """Numbers as they are, points in time as microseconds, texts as codes; NaN where there is none."""
    import numpy as np
    import pandas as pd
    import pyarrow as pa

    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.int64()).cast(pa.float64(), safe=False)
    elif not pa.types.is_floating(column.type):
        codes = pd.factorize(column.to_pandas())[0].astype(np.float64)
        return np.where(codes < 0, np.nan, codes)
    return np.asarray(column.to_numpy(), dtype=np.float64)


def _by_tree(
    known: "NDArray[Any]", target: "NDArray[Any]", asked: "NDArray[Any]", *, has_classes: bool
) -> "NDArray[Any]":
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    kind = DecisionTreeClassifier if has_classes else DecisionTreeRegressor
    tree = kind(max_leaf_nodes=_LEAVES, min_samples_leaf=2, random_state=0)
    told: NDArray[Any] = tree.fit(known.reshape(-1, 1), target).predict(asked.reshape(-1, 1))
    return told


def _by_category(
    known: "NDArray[Any]", target: "NDArray[Any]", asked: "NDArray[Any]", *, has_classes: bool
) -> "NDArray[Any]":
    """Each category's most frequent class, or mean; that of all rows for one that is new."""
    import numpy as np
    import pandas as pd

    values = pd.Series(target)
    categories = pd.Series(known).fillna(-1)
    if has_classes:
        counts = pd.crosstab(categories, values)
        each, all_rows = counts.idxmax(axis=1), values.mode().iloc[0]
    else:
        each, all_rows = values.groupby(categories.to_numpy()).mean(), values.mean()
    told: NDArray[Any] = pd.Series(asked).fillna(-1).map(each).fillna(all_rows).to_numpy(np.float64)
    return told


def _along_a_line(values: "NDArray[Any]", target: "NDArray[Any]") -> float:
    """The squared correlation of the values, or of their ranks: 1 for a copy in another unit."""
    import numpy as np
    import pandas as pd

    known = ~np.isnan(values)
    # A feature that is mostly unknown tells little of the target, whatever it says of the rest.
    if known.sum() < len(values) * 0.9:
        return 0.0
    x, y = pd.Series(values[known]), pd.Series(target[known])
    if x.nunique() < 3 or y.nunique() < 3:
        return 0.0
    return float(max(x.corr(y) ** 2, x.rank().corr(y.rank()) ** 2))


class Identifiers(FeatureGuard):
    """A feature whose values nearly all differ: a number or a name of the row, which says nothing of new ones."""

    NAME: ClassVar[str] = "identifiers"

    distinct: float = Field(default=NEARLY_ALL, gt=0, le=1)
    """From what share of different values on a feature is one."""
    rows: int = Field(default=FEWEST_ROWS, ge=2)
    """With how many rows at least."""

    def look(self, columns: Columns) -> Iterator[GuardFinding]:
        """A finding for all features that name rows."""
        found = []
        for name in columns.features:
            values = columns.table.column(name).drop_null().to_pandas().dropna()
            if names_rows(name, values, rows=self.rows, distinct=self.distinct):
                found.append(f"{name!r} ({values.nunique()} values in {len(values)} rows)")
        if found:
            yield self.found(
                f"{one_of(found, _NAMED)} tell rows apart, and say nothing of new ones: leave them out of `features`"
            )


class FreeText(FeatureGuard):
    """A feature of sentences, each of which the default preprocessing takes for a category of its own.

    By default it finds none: from these limits on, the default preprocessing looks at words.
    """

    NAME: ClassVar[str] = "free_text"

    distinct: int = Field(default=SENTENCES, ge=2)
    """From how many different values on."""
    words: float = Field(default=WORDS, gt=0)
    """From how many words a value on, on average."""

    def look(self, columns: Columns) -> Iterator[GuardFinding]:
        """A finding for all features of sentences."""
        if not columns.takes_texts_as_categories:
            return
        found = []
        for name in columns.features:
            if columns.table.schema.field(name).type not in _texts():
                continue
            values = columns.table.column(name).drop_null().to_pandas()
            if are_sentences(values):
                continue  # read word by word, see `factory.trainers.scikit_learn.preprocessing`
            if are_sentences(values, distinct=self.distinct, least_words=self.words):
                told = f"{values.nunique()} different texts of {words(values):.0f} words"
                found.append(f"{name!r} ({told})")
        if found:
            yield self.found(
                f"{one_of(found, _NAMED)} hold sentences, and each is a category of its own to the default "
                "preprocessing: leave them out of `features`, or name a TfidfVectorizer for them in `preprocessing`"
            )
