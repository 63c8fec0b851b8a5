"""Build what `preprocessing` lists: scikit-learn's ColumnTransformer, and what follows on its whole output."""

import logging
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OrdinalEncoder
from sklearn.utils import get_tags

from factory.base.errors import TerminalError
from factory.base.objects import Component
from factory.base.texts import did_you_mean, one_of
from factory.trainers.column_steps import ColumnSteps, Entries, Step, named_columns, taken
from factory.trainers.scikit_learn.adapters import Categories, Dense, TextColumn
from factory.trainers.scikit_learn.preprocessing import default_preprocessing, without_values
from factory.trainers.step_names import entry_names, transformer_names, unique_names

logger = logging.getLogger(__name__)

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


def beside_categories(
    features: pd.DataFrame,
    columns: Sequence[str],
    prepare: Callable[[pd.DataFrame], Component],
    *,
    are_texts: bool,
) -> ColumnTransformer:
    """An unfitted transformer whose first columns are categories, and then what the others become.

    Args:
        features: The training rows.
        columns: The features that are categories.
        prepare: Makes the unfitted transformer of the others.
        are_texts: Whether categories stay texts, or become numbers from 0; then one that is new is a missing number.

    Raises:
        TerminalError: A category is no feature.
    """
    for name in columns:
        if name not in features:
            names = [str(one) for one in features]
            advice = did_you_mean(name, names, f"they are {one_of(names, 12)}")
            raise TerminalError(f"{name!r}, a category, is none of the features: {advice}")
    categories: Component = Categories()
    if not are_texts:
        codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan)
        categories = Pipeline([("texts", categories), ("codes", codes)])
    blocks: list[tuple[str, Component, list[str]]] = [("categories", categories, [*columns])]
    others = features.drop(columns=[*columns])
    if len(others.columns):
        blocks.append(("others", prepare(others), [*others.columns]))
    # Dense, because numbers and texts are in no sparse matrix together.
    return ColumnTransformer(blocks, sparse_threshold=0)


def _blocks(
    features: pd.DataFrame, entries: Entries, make: Make
) -> Iterable[tuple[str, Component, list[str]]]:
    _require([column for _, column in named_columns(entries)], list(features.columns))
    empty = without_values(features)
    left = {name: kinds_of(features[name]) for name in features.columns if name not in empty}
    names: set[str] = set()
    for name, entry in zip(entry_names(entries), entries, strict=True):
        if entry.columns is None:
            continue
        found = taken(entry, left)
        _tell_lost(entry, found, empty)
        left = {column: words for column, words in left.items() if column not in found}
        if not found:
            continue
        for block in _of_entry(name, entry, found, make):
            [unique] = unique_names([block[0]], names)
            names.add(unique)
            yield unique, *block[1:]
    if left:
        logger.info("preprocessing: %s as by default", one_of(list(left), 12))
        yield "default", default_preprocessing(features[list(left)]), list(left)


def _tell_lost(entry: ColumnSteps, found: list[str], empty: list[str]) -> None:
    """Say what an entry names and does not get; `rest` is there in case that something is left."""
    if isinstance(entry.columns, tuple):
        lost = [name for name in entry.columns if name not in (*found, *empty)]
        if lost:
            logger.warning("preprocessing: an entry above has taken %s already", one_of(lost, 12))
    elif not found and entry.columns != "rest":
        logger.warning("preprocessing: no column is left for %s", entry.columns_in_words)


def _require(named: Sequence[str], columns: list[str]) -> None:
    for name in named:
        if name not in columns:
            advice = did_you_mean(name, columns, f"they are {one_of(columns, 12)}")
            raise TerminalError(f"preprocessing: {name!r} is none of the features: {advice}")


def kinds_of(column: pd.Series) -> tuple[str, ...]:
    """The words that mean a column, such as `numbers`.

    Rows come in three forms only, see `factory.data.columns.learnable`: truth values are numbers by now.
    """
    types = pd.api.types
    if types.is_numeric_dtype(column):
        is_boolean = bool(column.dropna().isin((0, 1)).all())
        return ("numbers", "booleans", "rest") if is_boolean else ("numbers", "rest")
    return ("times" if types.is_datetime64_any_dtype(column) else "texts", "rest")


def _of_entry(
    name: str, entry: ColumnSteps, columns: list[str], make: Make
) -> Iterable[tuple[str, Component, list[str]]]:
    if isinstance(entry.steps, str):
        yield name, entry.steps, columns
        return
    names = transformer_names(entry)
    if not any(_reads_texts(make(step)) for step in entry.transformers):
        named = list(zip(names, map(make, entry.transformers), strict=True))
        yield name, Pipeline(_dense_where_needed(named)), columns
        return
    for column in columns:
        each = name if len(columns) == 1 else f"{name}_{column.replace('__', '_')}"
        named = list(zip(names, map(make, entry.transformers), strict=True))
        yield each, Pipeline(_dense_where_needed(_with_text_column(named))), [column]


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
