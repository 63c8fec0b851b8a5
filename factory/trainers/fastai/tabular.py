"""Models of tables: columns as numbers, embeddings of categories beside them, one cycle of training.

What fastai's `Categorify`, `FillMissing` and `Normalize` do is described, instead of unpickled as objects.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import torch  # noqa: TID253 - whoever imports this module wants torch
from fastai.tabular.model import TabularModel, emb_sz_rule  # noqa: TID253
from numpy.typing import NDArray

from factory.base.errors import TerminalError
from factory.trainers.fastai.learning import History, Tensors, TrainingLoop, tensor_loaders
from factory.trainers.fastai.params import TabularParams
from factory.trainers.fastai.stored import (
    Column,
    NumberColumn,
    TabularDescription,
    TextColumn,
    TimeColumn,
    describe_target,
    encode,
)
from factory.trainers.scikit_learn.preprocessing import DateParts
from factory.trainers.trainer import LabelledRows

_NEARLY_NONE = 1e-7
"""What fastai adds to deviations, so that none is 0."""

Texts = NDArray[np.int64]
Numbers = NDArray[np.float32]


_PREDICTED_AT_ONCE = 4096


def train_tabular(
    params: TabularParams, task: str, training: LabelledRows, validation: LabelledRows
) -> tuple[TabularDescription, torch.nn.Module, History]:
    """A network that has learned, and what was measured after each epoch.

    Raises:
        TerminalError: No column has a value to learn from.
    """
    if params.epochs == 0:
        raise TerminalError("`epochs` is 0: nothing would be learned")
    features, target = training
    description = TabularDescription(
        columns=describe_columns(features),
        target=describe_target(task, target),
        layers=params.layers,
        ps=params.ps,
        embed_p=params.embed_p,
        use_bn=params.use_bn,
        bn_final=params.bn_final,
        bn_cont=params.bn_cont,
    )
    network = build(description)
    loop = TrainingLoop(description.target, wd=params.wd, patience=params.patience)
    loaders = tensor_loaders(
        _tensors(description, training), _tensors(description, validation), params.bs
    )
    loop.one_cycle(loop.learner(loaders, network), params.epochs, params.lr)
    return description, network.cpu().eval(), loop.history


def _tensors(description: TabularDescription, rows: LabelledRows) -> Tensors:
    features, target = rows
    return (
        *tensors_of(description, features),
        torch.from_numpy(encode(description.target, target)),
    )


def build(description: TabularDescription) -> torch.nn.Module:
    """The network of fastai's for a table, with weights drawn at random."""
    numbers = numbers_of(description.columns)
    network: torch.nn.Module = TabularModel(
        [(count, emb_sz_rule(count)) for count in cardinalities(description.columns)],
        numbers,
        description.target.outputs,
        list(description.layers),
        ps=description.ps,
        embed_p=description.embed_p,
        use_bn=description.use_bn,
        bn_final=description.bn_final,
        bn_cont=description.bn_cont and numbers > 0,
    )
    return network


def batches(
    description: TabularDescription, features: pd.DataFrame
) -> Iterator[tuple[torch.Tensor, ...]]:
    """LabelledRows as the network sees them, some at a time."""
    for start in range(0, len(features), _PREDICTED_AT_ONCE):
        yield tensors_of(description, features.iloc[start : start + _PREDICTED_AT_ONCE])


def tensors_of(
    description: TabularDescription, features: pd.DataFrame
) -> tuple[torch.Tensor, torch.Tensor]:
    """Places of categories, and numbers."""
    places, numbers = encode_columns(description.columns, features)
    return torch.from_numpy(places), torch.from_numpy(numbers)


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
    """LabelledRows as the network sees them: places of categories, and numbers around 0.

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
