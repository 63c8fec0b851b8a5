"""Train on tables: embeddings of categories beside numbers, in one cycle."""

import torch  # noqa: TID253 - whoever imports this module wants torch

from factory.base.errors import TerminalError
from factory.trainers.fastai import tabular_network
from factory.trainers.fastai.columns import describe_columns
from factory.trainers.fastai.description import TabularDescription, describe_target, encode
from factory.trainers.fastai.learned import Learned
from factory.trainers.fastai.learning import History, Lesson
from factory.trainers.fastai.loaders import Tensors, tensor_loaders
from factory.trainers.fastai.params import TabularParams
from factory.trainers.trainer import Rows


def train_tabular(
    params: TabularParams, task: str, training: Rows, validation: Rows
) -> tuple[Learned, History]:
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
    network = tabular_network.build(description)
    lesson = Lesson(description.target, wd=params.wd, patience=params.patience)
    loaders = tensor_loaders(
        _tensors(description, training), _tensors(description, validation), params.bs
    )
    lesson.one_cycle(lesson.learner(loaders, network), params.epochs, params.lr)
    return Learned(description, network.cpu().eval()), lesson.history


def _tensors(description: TabularDescription, rows: Rows) -> Tensors:
    features, target = rows
    return (
        *tabular_network.tensors_of(description, features),
        torch.from_numpy(encode(description.target, target)),
    )
