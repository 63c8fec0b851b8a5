"""The network of a model of tables, and what it is shown."""

from collections.abc import Iterator

import pandas as pd
import torch  # noqa: TID253 - whoever imports this module wants torch
from fastai.tabular.model import TabularModel, emb_sz_rule  # noqa: TID253

from factory.trainers.fastai.columns import cardinalities, encode_columns, numbers_of
from factory.trainers.fastai.description import TabularDescription

_AT_ONCE = 4096


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
    """Rows as the network sees them, some at a time."""
    for start in range(0, len(features), _AT_ONCE):
        yield tensors_of(description, features.iloc[start : start + _AT_ONCE])


def tensors_of(
    description: TabularDescription, features: pd.DataFrame
) -> tuple[torch.Tensor, torch.Tensor]:
    """Places of categories, and numbers."""
    places, numbers = encode_columns(description.columns, features)
    return torch.from_numpy(places), torch.from_numpy(numbers)
