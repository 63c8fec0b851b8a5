"""fastai's `Categorify`, `FillMissing` and `Normalize`, as a description instead of objects to unpickle."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from factory.base.errors import TerminalError
from factory.trainers.fastai.description import Column, NumberColumn, TextColumn, TimeColumn
from factory.trainers.scikit_learn.preprocessing import DateParts

_NEARLY_NONE = 1e-7
"""What fastai adds to deviations, so that none is 0."""

Texts = NDArray[np.int64]
Numbers = NDArray[np.float32]


def describe_columns(features: pd.DataFrame) -> tuple[Column, ...]:
    """What is to be known of the training rows' features; those without any value are left out.

    Raises:
        TerminalError: None has a value.
    """
    described: list[Column] = []
    for name in features.columns:
        column = features[name]
        if column.isna().all():
            continue
        if pd.api.types.is_datetime64_any_dtype(column):
            parts = _dates(features, name)
            described.append(
                TimeColumn(
                    name=name, parts=tuple(_number(str(part), parts[part]) for part in parts)
                )
            )
        elif pd.api.types.is_numeric_dtype(column):
            described.append(_number(name, column))
        else:
            categories = sorted(set(column.dropna().astype(str)))
            described.append(TextColumn(name=name, categories=tuple(categories)))
    if not described:
        raise TerminalError(
            f"features: none of {', '.join(map(str, features))} has a value to learn from"
        )
    return tuple(described)


def cardinalities(columns: tuple[Column, ...]) -> list[int]:
    """How many values each column of `encode_columns`' first array may have."""
    texts = [len(each.categories) + 1 for each in columns if isinstance(each, TextColumn)]
    # Not missing, missing, and fastai's place for what is unknown.
    return texts + [3 for each in _numbers(columns) if each.flagged]


def numbers_of(columns: tuple[Column, ...]) -> int:
    """How many columns the second array of `encode_columns` has."""
    return len(_numbers(columns))


def encode_columns(columns: tuple[Column, ...], features: pd.DataFrame) -> tuple[Texts, Numbers]:
    """Rows as the network sees them: places of categories, and numbers around 0.

    Raises:
        TerminalError: A column is missing.
    """
    missing = [each.name for each in columns if each.name not in features]
    if missing:
        raise TerminalError(f"the rows have no column {', '.join(map(repr, missing))}")
    texts: list[Texts] = []
    numbers: list[tuple[NumberColumn, NDArray[np.float64]]] = []
    for each in columns:
        if isinstance(each, TextColumn):
            texts.append(_places(each, features[each.name]))
        elif isinstance(each, NumberColumn):
            numbers.append((each, _floats(features[each.name])))
        else:
            parts = _dates(features, each.name)
            numbers += [(part, _floats(parts[part.name])) for part in each.parts]
    flags = [1 + np.isnan(values) for each, values in numbers if each.flagged]
    scaled = [_scaled(each, values) for each, values in numbers]
    rows = len(features)
    return (
        np.column_stack([*texts, *flags]).astype(np.int64)
        if texts or flags
        else np.empty((rows, 0), np.int64),
        np.column_stack(scaled).astype(np.float32) if scaled else np.empty((rows, 0), np.float32),
    )


def _number(name: str, column: "pd.Series[float]") -> NumberColumn:
    values = _floats(column)
    missing = np.isnan(values)
    median = float(np.nanmedian(values)) if not missing.all() else 0.0
    filled = np.where(missing, median, values)
    return NumberColumn(
        name=str(name),
        median=median,
        mean=float(filled.mean()),
        deviation=float(filled.std()) + _NEARLY_NONE,
        flagged=bool(missing.any()),
    )


def _numbers(columns: tuple[Column, ...]) -> list[NumberColumn]:
    found: list[NumberColumn] = []
    for each in columns:
        if isinstance(each, NumberColumn):
            found.append(each)
        elif isinstance(each, TimeColumn):
            found += each.parts
    return found


def _floats(column: "pd.Series[float]") -> NDArray[np.float64]:
    return np.asarray(column.to_numpy(dtype=np.float64, na_value=np.nan), dtype=np.float64)


def _scaled(each: NumberColumn, values: NDArray[np.float64]) -> NDArray[np.float64]:
    filled: NDArray[np.float64] = np.where(np.isnan(values), each.median, values)
    return (filled - each.mean) / each.deviation


def _places(each: TextColumn, column: "pd.Series[str]") -> Texts:
    known = pd.Index(each.categories)
    texts = column.astype(object).where(column.notna(), None)
    return np.asarray(known.get_indexer(pd.Index(texts)), dtype=np.int64) + 1


def _dates(features: pd.DataFrame, name: str) -> pd.DataFrame:
    transformer = DateParts().fit(features[[name]])
    parts = transformer.transform(features[[name]])
    return pd.DataFrame(parts, columns=list(transformer.get_feature_names_out()))
