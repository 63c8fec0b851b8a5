"""`preprocessing` as a list: which columns get which of scikit-learn's transformers, in their order."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainValidator,
    TypeAdapter,
    ValidationInfo,
)
from pydantic_core import PydanticCustomError

from factory.base.findings import KeyPath
from factory.base.nested_estimators import NestedEstimator
from factory.base.rules import Broken, rule
from factory.base.section import (
    DottedPath,
    ListOf,
    ListOr,
    OwnFunctionPath,
    Section,
    Surroundings,
    Text,
    also_written,
)
from factory.base.texts import closest, did_you_mean, either, one_of, shortened
from factory.trainers.nested_rules import check_nested

KINDS = ("numbers", "booleans", "texts", "times", "rest")
"""What stands for all columns of a kind; `booleans` are numbers too, and `rest` is all that no entry has taken."""
NO_STEPS = ("drop", "passthrough")
"""scikit-learn's words for columns that are left out, or left as they are."""

_EXAMPLE = "[{columns: numbers, steps: [sklearn.preprocessing.PowerTransformer]}]"


def _check_regex(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise PydanticCustomError(
            "pattern", "not a regular expression: {why}", {"why": str(error)}
        ) from None
    return value


class ByRegex(Section):
    """Columns by their names."""

    regex: Annotated[Text, AfterValidator(_check_regex)] = Field(examples=["^note"])
    """A regular expression of which a column's name must contain a match."""


def _read_columns(value: object, info: ValidationInfo) -> object:
    if isinstance(value, ByRegex) or (isinstance(value, dict) and list(value) == ["regex"]):
        return ByRegex.model_validate(value, context=info.context)
    if isinstance(value, str) and value in KINDS:
        return value
    is_word = isinstance(value, str)
    raise PydanticCustomError(
        "preprocessing",
        "`columns` must be a list of names, {kinds}, found {found}",
        {
            "found": _described(value),
            "kinds": either((*KINDS, "{regex: ...}")),
            "suggestion": (closest(str(value), KINDS, likeness=0.75) or "") if is_word else "",
            "advice": f"write `[{value}]` for the column of this name"
            if is_word
            else 'write `{regex: "^note"}` for the columns whose names begin with note',
        },
    )


def _described(value: object) -> str:
    # Late, because the team file's room reads models.
    from factory.team.explain import describe

    return describe(value)


def _read_no_steps(value: object) -> object:
    if value in NO_STEPS:
        return value
    advice = "write `steps: [sklearn.preprocessing.StandardScaler]`"
    if isinstance(value, str) and "." in value:
        advice = f"write `steps: [{value}]`"
    if isinstance(value, dict) and "transformer" in value:
        advice = "write it as a list: `steps: [{transformer: ...}]`"
    raise PydanticCustomError(
        "preprocessing",
        "`steps` must be a list of transformers, drop or passthrough, found {found}",
        {
            "found": _described(value),
            "suggestion": (closest(value, NO_STEPS) or "") if isinstance(value, str) else "",
            "advice": advice,
        },
    )


def _read_step(value: object) -> object:
    return {"transformer": value} if isinstance(value, str) else value


class Step(Section):
    """A transformer by its dotted path, or with parameters."""

    transformer: DottedPath = Field(examples=["sklearn.preprocessing.PowerTransformer"])
    """The transformer's class by dotted path, of a package that the platform allows in `python_packages`."""
    params: dict[str, Any] = Field(default_factory=dict, examples=[{"n_quantiles": 100}])
    """Its parameters by name. What is to be tried for them is written as in `search`: lists and ranges with the
    strategies that have candidates, one value each with `strategy: list`."""

    @rule
    def _nested_are_allowed(self, surroundings: Surroundings | None) -> Broken:
        yield from check_nested(self.params, surroundings)

    @property
    def nested(self) -> NestedEstimator:
        """The step in the form of an estimator within the parameters of another."""
        return {"estimator": self.transformer, "params": self.params}


AnyStep = Annotated[Step, BeforeValidator(_read_step), also_written({"type": "string"})]

if TYPE_CHECKING:
    Columns = tuple[str, ...] | str | ByRegex
    Steps = tuple[Step, ...] | str
else:
    # The plain schema is for JSON schemas; what is read is decided by the functions.
    _Word = Annotated[
        Any, PlainValidator(_read_columns, json_schema_input_type=ByRegex | Literal[KINDS])
    ]
    _NoSteps = Annotated[
        Any, PlainValidator(_read_no_steps, json_schema_input_type=Literal[NO_STEPS])
    ]
    Columns = Annotated[ListOf[Text], Field(min_length=1), ListOr(_Word)]
    Steps = Annotated[ListOf[AnyStep], Field(min_length=1), ListOr(_NoSteps)]


class ColumnSteps(Section):
    """Some columns, and what is done to them, one transformer after the other."""

    columns: Columns | None = Field(
        default=None, examples=[["income", "age"], "numbers", {"regex": "^note"}]
    )
    """Names of columns, `numbers`, `booleans`, `texts`, `times`, `rest`, or `{regex: ...}`, of those that no entry before
    has taken. Without it, the steps get all that came out of the entries before."""
    steps: Steps = Field(
        examples=[["sklearn.preprocessing.PowerTransformer"], "drop", "passthrough"]
    )
    """Transformers, each a dotted path or `{transformer: its path, params: {...}}`; `drop` leaves the columns out,
    `passthrough` leaves them as they are."""

    @rule
    def _whole_matrix_has_transformers(self) -> Broken:
        if self.columns is None and isinstance(self.steps, str):
            yield PydanticCustomError(
                "preprocessing",
                "an entry without `columns` is about all that came out of those before it, and `{steps}` is nothing to do there",
                {"steps": self.steps, "at": ("steps",), "advice": "add `columns`"},
            )

    @property
    def transformers(self) -> tuple[Step, ...]:
        """Its transformers; none where the columns are dropped or passed through."""
        return () if isinstance(self.steps, str) else self.steps

    @property
    def columns_in_words(self) -> str:
        """Which columns it takes, for people."""
        if isinstance(self.columns, ByRegex):
            return f"columns that match {self.columns.regex}"
        if self.columns == "rest":
            return "all other columns"
        if isinstance(self.columns, str):
            return self.columns
        return shortened(", ".join(self.columns or ("all that came out before",)))


Entries = tuple[ColumnSteps, ...]


def check_entries(entries: Entries) -> Broken:
    """What is wrong with the order of entries, and with columns that two of them name.

    Returns:
        Errors with their places below the list in `at`.
    """
    named: dict[str, int] = {}
    whole: int | None = None
    rest: int | None = None
    for index, entry in enumerate(entries):
        if entry.columns is None:
            whole = index if whole is None else whole
        elif whole is not None:
            yield PydanticCustomError(
                "preprocessing",
                "entries for columns come before those without `columns`, which get all that came out",
                {"at": (index, "columns"), "advice": f"move it before item {whole + 1}"},
            )
        elif rest is not None:
            yield PydanticCustomError(
                "preprocessing",
                "no column is left below `columns: rest`",
                {"at": (index, "columns"), "advice": f"move it before item {rest + 1}"},
            )
        if entry.columns == "rest" and rest is None:
            rest = index
        for place, column, before in _repeated(entry, index, named):
            yield PydanticCustomError(
                "preprocessing",
                "item {before} has taken {column} already: a column is prepared once",
                {
                    "before": before + 1,
                    "column": column,
                    "at": place,
                    "advice": "take it away here",
                },
            )


def _repeated(
    entry: ColumnSteps, index: int, named: dict[str, int]
) -> Iterator[tuple[KeyPath, str, int]]:
    """The columns of an entry that are named already, and its own put to those that are."""
    if isinstance(entry.columns, tuple):
        for number, column in enumerate(entry.columns):
            if column in named:
                yield (index, "columns", number), repr(column), named[column]
            named.setdefault(column, index)
    elif isinstance(entry.columns, str):
        word = f"all {entry.columns}"
        if word in named:
            yield (index, "columns"), word, named[word]
        named.setdefault(word, index)


def check_columns(
    entries: Entries, features: Sequence[str] | None, others: Mapping[str, str]
) -> Broken:
    """What is wrong with columns that entries name.

    Args:
        entries: The list.
        features: The columns that the model learns from, where they are written.
        others: Columns that are no features, each with what it is.

    Returns:
        Errors with their places below the list in `at`.
    """
    for place, column in named_columns(entries):
        if features is not None and column not in features:
            advice = did_you_mean(column, features, "add it to `features`, or take it away here")
            message = "{column} is none of the `features` of the model"
            yield PydanticCustomError(
                "preprocessing", message, {"column": repr(column), "at": place, "advice": advice}
            )
        elif features is None and column in others:
            yield PydanticCustomError(
                "preprocessing",
                "{column} is {what}, and no feature",
                {
                    "column": repr(column),
                    "what": others[column],
                    "at": place,
                    "advice": "take it away here",
                },
            )
    for index, entry in enumerate(entries if features is not None else ()):
        if isinstance(entry.columns, ByRegex) and not _matching(entry.columns, features or ()):
            yield PydanticCustomError(
                "preprocessing",
                "no feature's name matches {regex}",
                {
                    "regex": repr(entry.columns.regex),
                    "at": (index, "columns", "regex"),
                    "advice": f"the features are {one_of(features or (), 12)}",
                },
            )


def without_columns(
    preprocessing: "Preprocessing | None", columns: Collection[str]
) -> "Preprocessing | None":
    """What `preprocessing` says of the other columns; entries that name these alone are left out."""
    if not isinstance(preprocessing, tuple):
        return preprocessing
    left = []
    for entry in preprocessing:
        if not isinstance(entry.columns, tuple):
            left.append(entry)
        elif names := tuple(name for name in entry.columns if name not in columns):
            left.append(entry.model_copy(update={"columns": names}))
    return tuple(left)


def named_columns(entries: Entries) -> Iterator[tuple[KeyPath, str]]:
    """The columns that entries name one by one, with their places below the list."""
    for index, entry in enumerate(entries):
        if isinstance(entry.columns, tuple):
            for number, column in enumerate(entry.columns):
                yield (index, "columns", number), column


def _matching(by: ByRegex, columns: Iterable[str]) -> list[str]:
    return [column for column in columns if re.search(by.regex, column)]


def taken(entry: ColumnSteps, kinds: Mapping[str, Collection[str]]) -> list[str]:
    """The columns that an entry takes.

    Args:
        entry: One with `columns`.
        kinds: The columns that no entry before has taken, each with the words that mean it.
    """
    if entry.columns is None:
        return []
    if isinstance(entry.columns, ByRegex):
        return _matching(entry.columns, kinds)
    if isinstance(entry.columns, tuple):
        return [column for column in entry.columns if column in kinds]
    return [column for column, words in kinds.items() if entry.columns in words]


def _read_function(value: object, info: ValidationInfo) -> object:
    if isinstance(value, str):
        return _function().validate_python(value, context=info.context)
    raise PydanticCustomError(
        "preprocessing",
        "`preprocessing` must be a function's dotted path, or a list of columns with their steps",
        {"advice": f"write `preprocessing: {_EXAMPLE}`"},
    )


@cache
def _function() -> TypeAdapter[str]:
    return TypeAdapter(OwnFunctionPath)


if TYPE_CHECKING:
    Preprocessing = str | Entries
else:
    _Function = Annotated[Any, PlainValidator(_read_function, json_schema_input_type=str)]
    Preprocessing = Annotated[ListOf[ColumnSteps], Field(min_length=1), ListOr(_Function)]
