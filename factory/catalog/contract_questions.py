"""SQL and types against the contracts of what is read, which DuckDB knows: asked, and told at their places.

A chain is a dataset, or what a model does to one: rows with columns, then one transform after the other. What
comes out of a chain is known when `columns` declares it, or where it follows from SQL over columns that are
known, or from what predictions hold. See `factory.data.sql_binding` for who answers.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from factory.base.findings import Finding, KeyPath, Question
from factory.base.section import qualify
from factory.catalog.contract_answers import AboutDataset, AboutModel
from factory.catalog.linking import Catalog
from factory.catalog.published import Published
from factory.data.checks.check import Check
from factory.data.column_types import Types
from factory.data.dataset import Dataset
from factory.data.transforms.transform import Transform
from factory.models.predict import Predict
from factory.team.questions import Asked
from factory.team.reader import TeamFile
from factory.training.model import Model

ANSWERS = "factory.data.sql_binding:bind"
"""Who answers: see `factory.data.sql_binding.bind`."""

_MAKE_COLUMNS = ("source", "transforms", "columns", "reads", "load")
"""Keys of a dataset that say what columns it has."""


def contract_questions(
    catalog: Catalog, *, partial: Mapping[str, Collection[KeyPath]] = MappingProxyType({})
) -> Iterator[Asked]:
    """What has to be asked about the SQL and the types of every team.

    Args:
        catalog: All teams.
        partial: Teams whose files are broken, if only those are meant, with the places where something is left
            out: what comes to be there is not known.
    """
    chains = Chains(catalog, partial)
    for name, file in catalog.teams.items():
        if partial and name not in partial:
            continue
        for dataset_name, dataset in file.team.datasets.items():
            about = AboutDataset(catalog, file, dataset_name, dataset)
            yield from _asked(
                file,
                chains,
                [chains.of_dataset(file, ("datasets", dataset_name), dataset)],
                about.tell,
            )
        for model_name, model in file.team.models.items():
            of_model = AboutModel(catalog, file, model_name, model)
            yield from _asked(
                file, chains, chains.of_model(file, ("models", model_name), model), of_model.tell
            )


def questions_of_one(file: TeamFile) -> Iterator[Asked]:
    """What has to be asked about one file, where no other is known."""
    return contract_questions(Catalog.of({file.name: file}))


def columns_question(catalog: Catalog, dataset: str) -> tuple[str, Any]:
    """The question which columns a dataset has; the answer is a list of one, with `columns`."""
    chains = Chains(catalog)
    chain = chains.of_published(catalog.datasets[dataset])
    return ANSWERS, {"datasets": chains.read_by([chain]), "chains": [chain]}


def _asked(
    file: TeamFile,
    chains: "Chains",
    asked: Sequence[dict[str, Any]],
    tell: Callable[[Any], Iterable[Finding]],
) -> Iterator[Asked]:
    read = chains.read_by(asked)
    # Else all that is known is known without an answer.
    if any(map(_has_sql_or_types, (*asked, *read.values()))):
        yield file, Question(ANSWERS, {"datasets": read, "chains": asked}, tell)


def _has_sql_or_types(chain: Mapping[str, Any]) -> bool:
    has_sql = any(step["sql"] is not None for step in chain["steps"])
    return bool(has_sql or chain["conditions"] or chain["declared"])


class Chains:
    """Chains as the JSON of questions."""

    def __init__(
        self, catalog: Catalog, partial: Mapping[str, Collection[KeyPath]] = MappingProxyType({})
    ) -> None:
        self.catalog = catalog
        self.partial = partial

    def of_dataset(self, file: TeamFile, path: KeyPath, dataset: Dataset) -> dict[str, Any]:
        """How a dataset comes to be."""
        team = file.name
        read = tuple(dataset.source.references().values())
        names = dataset.source.known_columns()
        return self._chain(
            file,
            path,
            dataset.transforms,
            source=qualify(read[0], team) if read else None,
            columns=dict.fromkeys(names) if names is not None else None,
            tables=[qualify(name, team) for name in dataset.inputs],
            declared=dataset.columns,
            loaded=dataset.load is not None,
            checks=dataset.checks,
        )

    def of_model(self, file: TeamFile, path: KeyPath, model: Model) -> list[dict[str, Any]]:
        """The rows that a model learns from, and its predictions."""
        chains = [self._of_learned(file, path, model)]
        if model.predict is not None:
            chains.append(self.of_predictions(file, path, model, model.predict))
        return chains

    def _of_learned(self, file: TeamFile, path: KeyPath, model: Model) -> dict[str, Any]:
        read = [qualify(name, file.name) for name in model.train_on.datasets]
        return self._chain(file, path, model.transforms, source=read[0], tables=read)

    def of_predictions(
        self, file: TeamFile, path: KeyPath, model: Model, predict: Predict
    ) -> dict[str, Any]:
        """How the dataset of a model's predictions comes to be."""
        team = file.name
        own = predict.transforms is not None
        checked = (name for check in predict.checks for name in check.references().values())
        chain = self._chain(
            file,
            path,
            model.prediction_transforms,
            source=qualify(predict.input, team),
            tables=[qualify(name, team) for name in (*model.prediction_reads, *checked)],
            absent={} if own else model.absent_target,
            checks=predict.checks,
        )
        if predict.has_columns_of_the_model:
            return {**chain, "kept": list(predict.keep), "added": None}
        added = model.added_columns
        return {
            **chain,
            "kept": [*model.keys, *predict.keep],
            "added": dict(added),
            "target": model.target_name,
            "learned": self._of_learned(file, path, model) if None in added.values() else None,
        }

    def _chain(
        self,
        file: TeamFile,
        path: KeyPath,
        transforms: Sequence[Transform],
        *,
        source: str | None,
        tables: Sequence[str],
        columns: Types | None = None,
        absent: Types | None = None,
        declared: Mapping[str, str] | None = None,
        loaded: bool = False,
        checks: Sequence[Check] = (),
    ) -> dict[str, Any]:
        steps = [_step(transform, file.platform.project) for transform in transforms]
        conditions = [
            {"sql": sql.text, "is_query": sql.is_query}
            for check in checks
            if (sql := check.written_sql()) is not None
        ]
        is_whole = self._is_whole(file, path)
        return {
            "columns": columns,
            "from": source if is_whole else None,
            "absent": dict(absent or {}),
            "tables": list(dict.fromkeys(tables)) if is_whole else None,
            "steps": steps,
            "loaded": loaded,
            "declared": dict(declared) if declared is not None and is_whole else None,
            "kept": None,
            "added": {},
            "target": None,
            "learned": None,
            "conditions": conditions,
        }

    @staticmethod
    def of_columns(columns: Types) -> dict[str, Any]:
        """Rows with known columns, however they come to be."""
        nothing: dict[str, Any] = dict.fromkeys(("from", "declared", "kept", "target", "learned"))
        empty: dict[str, Any] = {"tables": [], "steps": [], "conditions": [], "absent": {}}
        return {"columns": dict(columns), "loaded": False, "added": {}, **nothing, **empty}

    def _is_whole(self, file: TeamFile, path: KeyPath) -> bool:
        """Whether all is there that says what columns a dataset has, or a model's rows."""
        for lost in self.partial.get(file.name, ()):
            if len(lost) < 2 and lost[:1] in ((), path[:1]):
                return False
            is_beside_them = path[0] == "datasets" and lost[2:3] and lost[2] not in _MAKE_COLUMNS
            if lost[:2] == path[:2] and not is_beside_them:
                return False
        return True

    def read_by(self, chains: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """The chains of the datasets that some chains read, and of those that these read."""
        found: dict[str, Any] = {}
        pending = [name for chain in chains for name in _read(chain)]
        while pending:
            name = pending.pop()
            published = self.catalog.datasets.get(name)
            if (
                name in found
                or published is None
                or not self._is_whole(published.team, published.path)
            ):
                continue
            found[name] = self.of_published(published)
            pending += _read(found[name])
        return dict(sorted(found.items()))

    def of_published(self, published: Published) -> dict[str, Any]:
        """How a published dataset comes to be, as its readers see it."""
        section, file = published.section, published.team
        if isinstance(section, Dataset):
            chain = self.of_dataset(file, published.path, section)
        else:
            model = file.team.models[str(published.path[1])]
            chain = self.of_predictions(file, published.path, model, section)
        chain = {**chain, "conditions": []}
        # What is declared is what others see, however it came to be.
        if chain["declared"] is not None:
            return {**chain, "columns": None, "from": None, "tables": [], "steps": []}
        return chain


def _read(chain: Mapping[str, Any]) -> list[str]:
    names = [name for name in (chain["from"], *(chain["tables"] or ())) if name is not None]
    return [*names, *(_read(chain["learned"]) if chain["learned"] is not None else ())]


def _step(transform: Transform, project: Path) -> dict[str, Any]:
    sql = transform.written_sql(project)
    names = transform.known_columns(None)
    return {
        "sql": None if sql is None else sql.text,
        "keeps": transform.keeps_columns,
        "columns": None if names is None else list(names),
    }
