"""What a dataset is, in sentences: a producer's, or a model's predictions."""

from collections.abc import Iterator

from factory.base.findings import KeyPath
from factory.base.texts import one_of
from factory.catalog.linking import Catalog
from factory.catalog.published import Published
from factory.catalog.sentence import Sentence, in_brief, of_after, of_checks, of_readers
from factory.data.dataset import Dataset
from factory.models.predict import Predict

_MADE, _RUNS, _CHECKED, _READ = (
    "What it is made of",
    "When it runs",
    "What is checked",
    "Who reads it",
)
_MODES = {
    "replace": "new rows replace the published ones",
    "append": "new rows are added to the published ones",
    "merge": "new rows update those of the same {keys}, or are added",
}


def of_published(catalog: Catalog, found: Published) -> Iterator[Sentence]:
    """Every sentence about a dataset."""
    section, path = found.section, found.path
    if section.description:
        yield Sentence("What it is", section.description, (*path, "description"))
    yield Sentence("What it is", f"a dataset of {found.team.team.owner}", ("owner",))
    if isinstance(section, Dataset):
        yield from _of_dataset(section, path)
        yield from of_after(section.after, (*path, "after"))
    else:
        yield from _of_predictions(section, str(path[1]), path)
    yield Sentence(_MADE, _of_write(section), (*path, "write", "mode"))
    yield from of_checks(section.checks, (*path, "checks"))
    yield from _of_sharing(found, (*path, "share_with"))
    full_name = f"{found.team.name}.{found.name}"
    yield from of_readers(catalog, full_name, (*path, "share_with"))


def _of_dataset(dataset: Dataset, path: KeyPath) -> Iterator[Sentence]:
    yield Sentence(_MADE, f"rows of the source {in_brief(dataset.source)}", (*path, "source"))
    for index, name in enumerate(dataset.reads):
        yield Sentence(_MADE, f"SQL also reads {name}", (*path, "reads", index))
    for index, step in enumerate(dataset.transforms):
        text = f"step {index + 1}: {in_brief(step)}"
        yield Sentence(_MADE, text, (*path, "transforms", index))
    if dataset.load is not None:
        text = f"the rows go through the database table {in_brief(dataset.load)}"
        yield Sentence(_MADE, text, (*path, "load"))
    yield Sentence(_RUNS, dataset.when.in_words, (*path, "schedule"))
    if dataset.columns is None:
        text = "the columns and types of the last snapshot are the promise"
        yield Sentence(_CHECKED, text, (*path, "columns"))
    else:
        promised = one_of(f"{name} {kind}" for name, kind in dataset.columns.items())
        yield Sentence(_CHECKED, f"promised columns: {promised}", (*path, "columns"))


def _of_predictions(predict: Predict, model: str, path: KeyPath) -> Iterator[Sentence]:
    text = f"what the champion of {model} says about the rows of {predict.input}"
    yield Sentence(_MADE, text, (*path, "input"))
    if predict.keep:
        yield Sentence(_MADE, f"it keeps the columns {one_of(predict.keep)}", (*path, "keep"))
    yield from _of_requests(predict, path)
    yield Sentence(_RUNS, predict.when(model).in_words, (*path, "schedule"))


def _of_requests(predict: Predict, path: KeyPath) -> Iterator[Sentence]:
    """What predictions hold on request, and where else they go."""
    if predict.probabilities != "highest":
        classes = one_of(predict.listed_classes) or "each class that the model knows"
        text = f"it has columns for the probability of {classes}"
        yield Sentence(_MADE, text, (*path, "probabilities"))
    if predict.interval is not None:
        text = (
            f"it has the limits between which the truth lies for {predict.interval:.0%} of the rows"
        )
        yield Sentence(_MADE, text, (*path, "interval"))
    if (explain := predict.explain) is not None:
        which = "the feature that contributes the most"
        if explain.features > 1:
            which = f"the {explain.features} features that contribute the most"
        text = f"it names {which}, for the first {explain.max_rows:,} rows"
        yield Sentence(_MADE, text, (*path, "explain"))
    if (export := predict.export) is not None:
        text = f"each run's rows go into the database table {export.table} too ({export.mode})"
        yield Sentence(_READ, text, (*path, "export"))


def _of_write(section: Dataset | Predict) -> str:
    return _MODES[section.write.mode].format(keys=one_of(section.write.keys))


def _of_sharing(found: Published, path: KeyPath) -> Iterator[Sentence]:
    shared = "every team" if found.share_with == "*" else one_of(found.share_with)
    text = f"{shared} may read it" if shared else "only its own team may read it"
    yield Sentence(_READ, text, path)
