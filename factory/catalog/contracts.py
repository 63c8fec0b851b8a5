"""Columns across datasets and models: what a file needs, and what the producer declares.

Where nothing is declared, or transforms come between, nothing can be known before a run.
"""

from collections.abc import Iterable, Iterator, Mapping

from factory.base.findings import KeyPath
from factory.base.section import qualify
from factory.base.texts import did_you_mean, one_of
from factory.catalog.published import Published, published
from factory.data.dataset import Dataset
from factory.models.predict import Predict
from factory.team.problems import Problem
from factory.team.reader import TeamFile
from factory.trainers.column_steps import named_columns
from factory.training.model import Model


def check_columns(team: TeamFile, datasets: Mapping[str, Published]) -> Iterator[Problem]:
    """Columns that a team's file names and that a dataset does not have.

    Args:
        team: The file.
        datasets: What all teams publish, by full name.
    """
    yield from _check_published(team, datasets)
    for name, model in team.team.models.items():
        yield from _check_model(datasets, team, name, model)
        yield from _check_prediction(datasets, team, name, model)
        yield from _check_truth(datasets, team, name, model)


def _check_published(team: TeamFile, datasets: Mapping[str, Published]) -> Iterator[Problem]:
    for found in published(team):
        yield from _check_referred(team, found, datasets)
        if found.columns is None:
            continue
        for path, column in own_columns(found.section):
            if column not in found.columns:
                yield _missing_column(team, (*found.path, *path), column, found.name, found)


def _check_referred(
    team: TeamFile, checked: Published, datasets: Mapping[str, Published]
) -> Iterator[Problem]:
    """Columns of other datasets that checks name."""
    for index, check in enumerate(checked.section.checks):
        for place, (dataset, column) in check.referred_columns().items():
            full_name = qualify(dataset, team.name)
            other = datasets.get(full_name)
            if other is not None and other.columns is not None and column not in other.columns:
                path = (*checked.path, "checks", index, *place)
                yield _missing_column(team, path, column, full_name, other)


def own_columns(section: Dataset | Predict) -> Iterator[tuple[KeyPath, str]]:
    """The columns of its own that a published dataset's section names, and where."""
    for index, key in enumerate(section.write.keys):
        yield ("write", "keys", index), key
    if isinstance(section, Predict) and section.export is not None:
        for index, key in enumerate(section.export.keys):
            yield ("export", "keys", index), key
    for index, check in enumerate(section.checks):
        for place, column in check.written_columns().items():
            yield ("checks", index, *place), column


def _check_model(
    datasets: Mapping[str, Published], team: TeamFile, name: str, model: Model
) -> Iterator[Problem]:
    if model.transforms:
        return  # they may rename columns and make new ones
    for dataset in model.train_on.datasets:
        full_name = qualify(dataset, team.name)
        found = datasets.get(full_name)
        if found is None or found.columns is None:
            continue
        for path, column in needed_columns(model):
            if column not in found.columns:
                yield _missing_column(team, ("models", name, *path), column, full_name, found)


def needed_columns(model: Model) -> Iterator[tuple[KeyPath, str]]:
    """The columns that a model's section names of the rows that it learns from, and where."""
    for index, target in enumerate(model.target_columns):
        yield model.target_place(index), target
    for index, feature in enumerate(model.features or ()):
        yield ("features", index), feature
    if model.image_column is not None and model.features is None:
        yield ("train_on",), model.image_column
    # Where features are written, or made, a column that is none of them is found without the dataset.
    are_columns = model.features is None and model.forecast is None
    for place, column in named_columns(model.entries) if are_columns else ():
        yield ("preprocessing", *place), column
    for key, columns in model.promotion.grouped_by.items() if are_columns else ():
        for index, column in enumerate(columns):
            yield ("promotion", key, "columns", index), column
    yield from _beside_features(model)


def _beside_features(model: Model) -> Iterator[tuple[KeyPath, str]]:
    """The columns that are no features: those of series, of entities, of the division, of weights, of groups."""
    if model.entities is not None:
        yield ("entities", "column"), model.entities.column
    if model.forecast is not None:
        for place, column in model.forecast.places():
            yield ("forecast", *place), column
    elif model.split.column not in (None, model.group):
        yield ("split", "column"), model.split.column
    for index, column in enumerate(model.split.key):
        yield ("split", "key", index), column
    if model.weights is not None:
        yield ("weights",), model.weights
    if model.group is not None:
        yield ("group",), model.group


def _check_prediction(
    datasets: Mapping[str, Published], team: TeamFile, name: str, model: Model
) -> Iterator[Problem]:
    """A prediction's input has what the model learns from, and what the predictions keep."""
    if model.predict is None or model.prediction_transforms:
        return
    full_name = qualify(model.predict.input, team.name)
    found = datasets.get(full_name)
    if found is None or found.columns is None:
        return
    path: KeyPath = ("models", name, "predict")
    for index, column in enumerate(model.predict.keep):
        if column not in found.columns:
            yield _missing_column(team, (*path, "keep", index), column, full_name, found)
    for feature in dict.fromkeys((*_features(datasets, team, model), *model.entity_columns)):
        if feature not in found.columns:
            message = f"`{full_name}` has no column `{feature}`, which `{name}` learns from"
            suggestion = did_you_mean(feature, found.columns, f"it has {one_of(found.columns)}")
            yield team.problem("unknown_column", (*path, "input"), message, suggestion)


def _check_truth(
    datasets: Mapping[str, Published], team: TeamFile, name: str, model: Model
) -> Iterator[Problem]:
    """The dataset with the truth has its keys and the truth."""
    if model.monitor is None or model.monitor.truth is None:
        return
    truth = model.monitor.truth
    full_name = qualify(truth.dataset, team.name)
    found = datasets.get(full_name)
    if found is None or found.columns is None:
        return
    path: KeyPath = ("models", name, "monitor", "truth")
    for index, key in enumerate(truth.keys):
        if key not in found.columns:
            yield _missing_column(team, (*path, "keys", index), key, full_name, found)
    for column in (truth.column,) if truth.column else model.target_columns:
        if column not in found.columns:
            at = "dataset" if truth.column is None else "column"
            yield _missing_column(team, (*path, at), column, full_name, found)


def _features(datasets: Mapping[str, Published], team: TeamFile, model: Model) -> Iterable[str]:
    """The columns that a model learns from, as far as the files tell."""
    if model.features is not None or (model.transforms and model.forecast is None):
        return model.features or ()
    if model.image_column is not None:
        return (model.image_column,)
    if model.forecast is not None:
        return (*model.forecast.columns, *model.target_columns)
    trained_on = datasets.get(qualify(model.train_on.datasets[0], team.name))
    columns = trained_on.columns if trained_on is not None else None
    others = (*model.target_columns, *model.columns_beside_features)
    return [column for column in columns or () if column not in others]


def _missing_column(
    team: TeamFile, path: KeyPath, column: str, dataset: str, found: Published
) -> Problem:
    source = "by the `columns` that it declares"
    if isinstance(found.section, Dataset) and found.section.columns is None:
        source = f"by its source `type: {found.section.source.type}`"
    if isinstance(found.section, Predict):
        source = "which holds what `keep` names and the predictions"
    message = f"`{dataset}` has no column `{column}`, {source}"
    columns = found.columns or ()
    suggestion = did_you_mean(column, columns, f"it has {one_of(columns)}")
    return team.problem("unknown_column", path, message, suggestion)
