"""What the answers about SQL and types mean for datasets and models, in words and at their places."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from factory.base.findings import Finding, KeyPath, Span
from factory.base.section import qualify
from factory.base.texts import closest, did_you_mean, either, one_of
from factory.catalog.contracts import needed_columns, own_columns
from factory.catalog.linking import Catalog
from factory.data.checks.check import Check
from factory.data.column_types import Types, class_type, is_number, is_text, is_time
from factory.data.dataset import Dataset
from factory.data.transforms.transform import Transform
from factory.data.written_sql import WrittenSql
from factory.models.predict import Predict
from factory.team.reader import TeamFile
from factory.training.metrics import Class
from factory.training.model import Model

_SHOWN = 20
_OF_LABELS = ("BOOLEAN", "VARCHAR")
"""The types of columns that may say whether a row has a label, beside numbers."""
_OTHER_NAMES = {
    "float64": "DOUBLE",
    "float32": "FLOAT",
    "number": "DOUBLE",
    "int64": "BIGINT",
    "int32": "INTEGER",
    "long": "BIGINT",
    "object": "VARCHAR",
    "str": "VARCHAR",
    "category": "VARCHAR",
    "datetime": "TIMESTAMP",
    "datetime64": "TIMESTAMP",
    "datetime64[ns]": "TIMESTAMP",
    "date32": "DATE",
}
"""What pandas, Python, Arrow and Spark call types of DuckDB."""
_TYPES = (
    *("BIGINT", "DOUBLE", "VARCHAR", "BOOLEAN", "DATE", "TIMESTAMP", "DECIMAL", "FLOAT"),
    *("HUGEINT", "INTEGER", "INT", "SMALLINT", "STRING", "TEXT", "TIME", "TIMESTAMPTZ", "TINYINT"),
)
_KEYWORDS = (
    *("and", "as", "between", "by", "case", "cast", "distinct", "else", "end", "exclude", "except"),
    *("exists", "from", "full", "group", "having", "inner", "intersect", "is", "join", "left"),
    *("like", "limit", "not", "null", "offset", "on", "or", "order", "outer", "over"),
    *("partition", "qualify", "replace", "right", "select", "then", "union", "using", "when"),
    *("where", "window", "with"),
)


@dataclass(frozen=True)
class AboutDataset:
    """What the answer means for a dataset."""

    catalog: Catalog
    file: TeamFile
    name: str
    dataset: Dataset

    def tell(self, answer: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
        """What is wrong with its SQL, its types and its checks."""
        [found] = answer
        path: KeyPath = ("datasets", self.name)
        tell = _Faults(self.catalog, self.file)
        yield from tell.of_steps(self.dataset.transforms, found["steps"], (*path, "transforms"))
        yield from tell.of_checks(self.dataset.checks, found["conditions"], (*path, "checks"))
        for column, message in found["unknown_types"].items():
            written = (self.dataset.columns or {})[column].upper()
            known = _OTHER_NAMES.get(written.lower())
            advice = (
                f"write {known}"
                if known
                else did_you_mean(written, _TYPES, f"write one such as {either(_TYPES[:6])}")
            )
            yield Finding(
                "column_type", (*path, "columns", column), message.partition(":")[0], advice
            )
        yield from self._made_otherwise(found, (*path, "columns"))
        columns: Types | None = found["columns"]
        if columns is None:
            return
        yield from _unfit(self.dataset.checks, columns, (*path, "checks"))
        if self.dataset.known_columns is None:
            for place, column in own_columns(self.dataset):
                if column not in columns:
                    yield _no_column((*path, *place), column, columns, "that its transforms make")

    def _made_otherwise(self, found: Mapping[str, Any], path: KeyPath) -> Iterator[Finding]:
        """Columns that are declared, and that the transforms do not make so."""
        made: Types | None = found["made"]
        if made is None or self.dataset.columns is None:
            return
        for column in self.dataset.columns:
            kind, wanted = made.get(column), found["columns"][column]
            if column not in made:
                message = f"the transforms make no column `{column}`"
                advice = did_you_mean(column, made, f"they make {one_of(made, _SHOWN)}")
                yield Finding("unknown_column", (*path, column), message, advice, on_key=True)
            elif kind is not None and wanted is not None and kind != wanted:
                message = f"the transforms make `{column}` as {kind}, which is declared as {wanted}"
                advice = f"write {kind}, or cast it: `cast({column} as {wanted})`"
                yield Finding("column_type", (*path, column), message, advice)
        meant = {closest(c, made) for c in self.dataset.columns if c not in made}
        left = [c for c in made if c not in self.dataset.columns and c not in meant]
        if left:
            message = (
                f"the transforms make {one_of(left, _SHOWN)} too, which `columns` does not declare"
            )
            advice = "declare it, or let the last transform leave it out"
            yield Finding("column_type", path, message, advice, on_key=True)


@dataclass(frozen=True)
class AboutModel:
    """What the answer means for a model."""

    catalog: Catalog
    file: TeamFile
    name: str
    model: Model

    def tell(self, answer: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
        """What is wrong with its SQL, its target and its columns."""
        path: KeyPath = ("models", self.name)
        trained, *predicted = answer
        yield from self._of_training(trained, path)
        if self.model.predict is not None and predicted:
            yield from self._of_prediction(self.model.predict, trained, predicted[0], path)

    def _of_training(self, trained: Mapping[str, Any], path: KeyPath) -> Iterator[Finding]:
        model, tell = self.model, _Faults(self.catalog, self.file)
        yield from tell.of_steps(model.transforms, trained["steps"], (*path, "transforms"))
        columns: Types | None = trained["columns"]
        if columns is None:
            return
        if not self._is_looked_at(model.train_on.datasets) or model.transforms:
            for place, column in needed_columns(model):
                if column not in columns:
                    yield _no_column(
                        (*path, *place), column, columns, "of the rows that it learns from"
                    )
        yield from self._of_split(columns, (*path, "split"))
        for index, target in enumerate(model.target_columns):
            at = (*path, *model.target_place(index))
            yield from self._of_target(target, columns.get(target), at, path)

    def _of_split(self, columns: Types, at: KeyPath) -> Iterator[Finding]:
        """A column that has no order in time."""
        split = self.model.split
        kind = columns.get(split.column) if split.column is not None else None
        if split.method != "time" or kind is None:
            return
        periods = [name for name in ("test", "validation") if isinstance(getattr(split, name), str)]
        if periods and is_number(kind):
            message = f"a period needs dates or points in time, and `{split.column}` is {kind}"
            yield Finding("column_type", (*at, periods[0]), message, "write a share, such as 0.2")
        elif not (is_number(kind) or is_time(kind)):
            message = f"`{split.column}` is {kind}, and `method: time` needs dates, points in time or numbers"
            advice = f"cast it in a transform, such as `cast({split.column} as date)`"
            yield Finding("column_type", (*at, "column"), message, advice)

    def _of_target(
        self, target: str, kind: str | None, at: KeyPath, path: KeyPath
    ) -> Iterator[Finding]:
        model = self.model
        is_other = kind is not None and (is_text(kind) or is_time(kind) or kind == "BOOLEAN")
        if is_other and not model.learning_task.has_categories:
            message = f"`{target}` is {kind}, and a {model.task} predicts numbers"
            other = "multilabel" if model.learning_task.has_several else "classification"
            advice = f"name another target, write `task: {other}`, or cast it in a transform"
            yield Finding("column_type", at, message, advice)
        is_label = model.learning_task.has_several and model.learning_task.has_categories
        if kind is not None and is_label and not (is_number(kind) or kind in _OF_LABELS):
            message = f"`{target}` is {kind}, and a label is true or false, 1 or 0, or yes or no"
            advice = f"make a boolean of it in a transform, such as `{target} = ...`"
            yield Finding("column_type", at, message, advice)
        if model.learning_task.has_several:
            return
        if kind is not None and model.positive is not None:
            yield from _no_class(model.positive, target, kind, (*path, "positive"))
        listed = model.predict.listed_classes if model.predict is not None else ()
        for index, name in enumerate(listed if kind is not None else ()):
            place = (*path, "predict", "probabilities", index)
            yield from _no_class(name, target, str(kind), place)

    def _of_prediction(
        self,
        predict: Predict,
        trained: Mapping[str, Any],
        predicted: Mapping[str, Any],
        path: KeyPath,
    ) -> Iterator[Finding]:
        tell = _Faults(self.catalog, self.file)
        at = (*path, "predict")
        if predict.transforms is not None:
            yield from tell.of_steps(predict.transforms, predicted["steps"], (*at, "transforms"))
        elif not any(trained["steps"]):
            why = f"in predictions, where `source` is `{predict.input}`, "
            steps = predicted["steps"]
            yield from tell.of_steps(self.model.transforms, steps, (*path, "transforms"), why)
        yield from tell.of_checks(predict.checks, predicted["conditions"], (*at, "checks"))
        yield from _unfit(predict.checks, predicted["columns"] or {}, (*at, "checks"))
        columns: Types | None = predicted["made"]
        if columns is None or (
            not self.model.prediction_transforms and self._is_looked_at((predict.input,))
        ):
            return
        for index, column in enumerate(predict.keep):
            if column not in columns:
                place = (*at, "keep", index)
                yield _no_column(place, column, columns, "of the rows that are predicted")
        others = (*self.model.target_columns, *self.model.columns_beside_features)
        learned = self.model.features or [c for c in trained["columns"] or () if c not in others]
        for feature in dict.fromkeys((*learned, *self.model.entity_columns)):
            if feature not in columns and feature in (trained["columns"] or (feature,)):
                message = f"the rows that are predicted have no column `{feature}`, which `{self.name}` learns from"
                advice = did_you_mean(feature, columns, f"they have {one_of(columns, _SHOWN)}")
                yield Finding("unknown_column", (*at, "input"), message, advice)

    def _is_looked_at(self, datasets: Iterable[str]) -> bool:
        """Whether the columns are known without an answer, so that `catalog.contracts` looks at them."""
        names = (qualify(name, self.file.name) for name in datasets)
        found = (self.catalog.datasets.get(name) for name in names)
        return all(one is not None and one.columns is not None for one in found)


@dataclass(frozen=True)
class _Faults:
    """What is wrong with the SQL of a team, in words."""

    catalog: Catalog
    file: TeamFile

    def of_steps(
        self,
        transforms: Sequence[Transform],
        faults: Sequence[Sequence[Mapping[str, Any]]],
        path: KeyPath,
        why: str = "",
    ) -> Iterator[Finding]:
        """The faults of transforms, which stand at a path."""
        for index, (transform, found) in enumerate(zip(transforms, faults, strict=True)):
            sql = transform.written_sql(self.file.platform.project)
            for fault in found if sql is not None else ():
                yield self._finding(fault, sql, (*path, index), why)

    def of_checks(
        self,
        checks: Sequence[Check],
        faults: Sequence[Sequence[Mapping[str, Any]]],
        path: KeyPath,
    ) -> Iterator[Finding]:
        """The faults of checks with SQL of the team's."""
        written = [(index, sql) for index, c in enumerate(checks) if (sql := c.written_sql())]
        for (index, sql), found in zip(written, faults, strict=True):
            for fault in found:
                yield self._finding(fault, sql, (*path, index))

    def _finding(
        self, fault: Mapping[str, Any], sql: WrittenSql | None, path: KeyPath, why: str = ""
    ) -> Finding:
        assert sql is not None  # noqa: S101 - only SQL has faults
        message, advice = self._words(fault, sql.text)
        span = Span(fault["start"], fault["length"] or len(sql.text.partition("\n")[0]), sql.file)
        name = "sql_refused" if fault["kind"] == "refused" else "sql_text"
        return Finding(name, (*path, *sql.path), f"{why}{message}", advice, within=span)

    def _words(self, fault: Mapping[str, Any], text: str) -> tuple[str, str | None]:
        name, near, message = fault["name"], fault["near"], fault["message"]
        if fault["kind"] == "table":
            return self._unknown_table(name, near)
        if fault["kind"] == "column":
            known = f"there is {one_of(near, _SHOWN)}" if near else None
            return f"the SQL names a column `{name}`, which is not there", did_you_mean(
                name, near, known
            )
        if fault["kind"] in ("function", "type"):
            what = fault["kind"]
            turned = {"=>": ">=", "=<": "<="}.get(name)
            return f"DuckDB has no {what} `{name}`", (
                f"did you mean `{turned}`?"
                if turned
                else did_you_mean(name, near, "see DuckDB's documentation")
            )
        if fault["kind"] == "syntax":
            advice = _misspelt_word(text, fault["start"])
            return f"this is no SQL that DuckDB reads: {message}", advice
        if "No function matches" in message or "explicit cast" in message:
            message = message.removesuffix(" You might need to add explicit type casts.")
            return (
                f"the types do not go together: {message}",
                "cast one of them, such as `cast(x as double)`",
            )
        return message, None

    def _unknown_table(self, name: str, near: Sequence[str]) -> tuple[str, str]:
        message = f"the SQL reads `{name}`, which it is not given"
        team = self.file.name
        for full in (name, f"{team}.{name}"):
            if full in near:
                return message, f"did you mean `{full}`?"
            if full in self.catalog.datasets:
                own = full.removeprefix(f"{team}.")
                return message, f"add `{own}` to what is read, and write `{full}`"
        meant = did_you_mean(name, near)
        if meant is None:
            meant = did_you_mean(name, [full.partition(".")[2] for full in near if "." in full])
        return message, meant or f"it may read {one_of(near, _SHOWN)}"


def _misspelt_word(text: str, place: int) -> str:
    """What to write where SQL cannot be parsed: the keyword that a word at the place, or before it, is like."""
    at = re.match(r"\w+", text[place:])
    before = re.search(r"(\w+)\W*$", text[:place])
    for found in (before, at):
        word = re.sub(r"\W+", "", found.group()).lower() if found is not None else ""
        if word not in _KEYWORDS and (meant := closest(word, _KEYWORDS, likeness=0.7)):
            return f"did you mean `{meant}` instead of `{word}`?"
    return "correct it at this place, or just before"


def _unfit(checks: Sequence[Check], columns: Types, path: KeyPath) -> Iterator[Finding]:
    for index, check in enumerate(checks):
        for finding in check.unfit(columns):
            yield finding.below((*path, index))


def _no_class(positive: Class, target: str, kind: str, at: KeyPath) -> Iterator[Finding]:
    """Whether a class that counts is of another type than the target, whose classes it is none of."""
    expected = _CLASSES.get(class_type(kind) or "")
    if expected is None or type(positive) is expected[0]:
        return
    message = f"`{target}` is {kind}, which has no class {json.dumps(positive, ensure_ascii=False)}"
    yield Finding("column_type", at, message, f"write {expected[1]}")


_CLASSES: Mapping[str, tuple[type, str]] = {
    "BIGINT": (int, "a whole number"),
    "BOOLEAN": (bool, "true or false"),
    "VARCHAR": (str, "the text, in quotes"),
}
"""What a class that counts is, and how it is written, by the type of the classes."""


def _no_column(path: KeyPath, column: str, columns: Iterable[str], whose: str) -> Finding:
    names = list(columns)
    message = f"there is no column `{column}` among those {whose}"
    return Finding(
        "unknown_column",
        path,
        message,
        did_you_mean(column, names, f"there is {one_of(names, _SHOWN)}"),
    )
