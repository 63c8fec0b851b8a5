"""`split`: how rows are divided into train, validation and test. The section, and what it does."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, GetJsonSchemaHandler, WithJsonSchema
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, PydanticKnownError

from factory.base.errors import TerminalError
from factory.base.rules import Broken, rule
from factory.base.section import (
    DURATION_PATTERN,
    AddedLater,
    ListOf,
    Seconds,
    Section,
    Text,
    is_duration,
    read_duration,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Indices = NDArray[np.int64]
    Values = NDArray[Any]

Part = Literal["train", "validation", "test"]
"""One of the three into which rows are divided; a file in the workspace."""
PARTS: tuple[Part, ...] = ("train", "validation", "test")
Division = dict[Part, "Indices"]
"""The numbers of the rows of each part; with folds, there is no part for validation."""

Method = Literal["random", "stratified", "time", "group", "hash"]


def _read_share(value: object) -> object:
    if isinstance(value, str) and is_duration(value):
        return value.strip()
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1:
        return float(value)
    if isinstance(value, str) and set(value) <= set("0123456789.,% "):
        # A number as people write it, which is explained as for any other field.
        raise PydanticKnownError("float_type")
    raise PydanticCustomError(
        "share",
        "{value} is no share of the rows: write a fraction between 0 and 1 or, with `method: time`, a "
        "period such as 30d",
        {"value": repr(value)},
    )


_SHARE_SCHEMA: tuple[dict[str, Any], ...] = (
    {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
    {"type": "string", "pattern": DURATION_PATTERN},
)
Share = Annotated[
    float | str,
    BeforeValidator(_read_share),
    WithJsonSchema({"anyOf": list(_SHARE_SCHEMA)}),
]
"""A fraction of all rows, or a period of time."""


class Folds(Section):
    """Cross-validation: each trial is trained once for each fold, on the other rows, and measured on the fold."""

    folds: int = Field(ge=2, le=20, examples=[5])
    """Into how many folds the rows are divided that are not for the test."""
    repeats: int = Field(default=1, ge=1, le=10)
    """With `random` and `stratified`: how many times they are divided, each time in another way."""

    @property
    def trainings(self) -> int:
        """How many times a trial is trained and measured."""
        return self.folds * self.repeats

    @property
    def in_words(self) -> str:
        """Such as `5 folds, 3 times`."""
        return f"{self.folds} folds" + (f", {self.repeats} times" if self.repeats > 1 else "")


class _ShareOrFolds:
    def __get_pydantic_json_schema__(
        self, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        *_, folds = handler(core)["anyOf"]
        return {"anyOf": [*_SHARE_SCHEMA, folds]}


def _read_validation(value: object) -> object:
    if isinstance(value, Mapping | Folds):
        return value
    if isinstance(value, int) and value > 1:
        raise PydanticCustomError(
            "share",
            "{value} is no share of the rows: write a fraction between 0 and 1, or `{folds}`",
            {"value": str(value), "folds": f"{{folds: {value}}}"},
        )
    return _read_share(value)


Validation = Annotated[float | str | Folds, _ShareOrFolds(), BeforeValidator(_read_validation)]
"""A share of the rows, or folds."""


class Split(Section):
    """How rows are divided into train, validation and test.

    `stratified` keeps the classes' proportions, `time` puts the newest rows of `column` last and those of one moment together,
    `group` keeps rows with the same `column` together, `hash` lets each row's `key` decide on its part: a row
    stays there for ever, however many others come.
    """

    test: Share = 0.2
    """The share of the test rows: a fraction of all rows, or, with `method: time`, the last so many days."""
    validation: Validation = Field(default=0.2, examples=[0.2, {"folds": 5}])
    """The share of the validation rows, in the same words; or `{folds: 5}`, which chooses by cross-validation: the rows
    that are not for the test are divided into folds."""
    seed: int = Field(default=0, ge=0, le=2**32 - 1)
    """Decides how rows are divided, and what training draws at random: the same snapshot and seed give the same parts."""
    method: Method | None = None
    """How it is decided where a row goes; `stratified` for a classification and `random` for a regression when left
    out."""
    column: Text | None = None
    """The column that `time` and `group` look at; it is no feature unless it is named as one."""
    key: Annotated[ListOf[Text], AddedLater()] = ()
    """With `hash`: the columns that say which row this is, such as a customer's number. They are no features unless
    they are named as such. Left out, the features and the target say it."""
    gap: Annotated[Seconds, AddedLater()] = 0
    """With `time`: how long before each border rows are left out, such as the time until a target is known."""
    window: Annotated[Seconds, AddedLater()] = Field(default=0, examples=["365d"])
    """With `time`: how far back rows are learned from, counted from the newest of them; all when left out. With folds it
    rolls on from fold to fold."""
    duplicates: Annotated[Literal["together"] | None, AddedLater()] = None
    """With `random` and `stratified`: `together` keeps rows whose features are the same in one part."""

    @rule
    def _leaves_rows_to_train_on(self) -> Broken:
        shares = [each for each in (self.test, self.validation) if isinstance(each, float)]
        if sum(shares) >= 1:
            yield PydanticCustomError(
                "split",
                "`test` {test} and `validation` {validation} leave no rows to train on: "
                "together they must stay below 1",
                {"test": self.test, "validation": self.validation, "at": ("test",)},
            )

    @rule
    def _has_its_column(self) -> Broken:
        needs = self.method in ("time", "group")
        if needs and self.column is None:
            yield PydanticCustomError(
                "split", "`method: {method}` needs `column`", {"method": str(self.method)}
            )
        if not needs and self.column is not None:
            yield _misplaced("`column`", "column", ("time", "group"))

    @rule
    def _belongs_together(self) -> Broken:
        for name in ("test", "validation"):
            if isinstance(getattr(self, name), str) and self.method != "time":
                yield _misplaced(f"a period as `{name}`", name, ("time",))
        for name, methods in _BELONGS_TO.items():
            if getattr(self, name) and self.method not in methods:
                yield _misplaced(f"`{name}`", name, methods)
        if self.folds is not None and self.folds.repeats > 1 and self.method not in BY_CHANCE:
            yield _misplaced("`repeats`", ("validation", "repeats"), BY_CHANCE)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the division looks at."""
        return (self.column,) if self.column is not None else self.key

    @property
    def folds(self) -> Folds | None:
        """The folds by which trials are measured; None where they are on validation rows."""
        return self.validation if isinstance(self.validation, Folds) else None

    @property
    def parts(self) -> tuple[Part, ...]:
        """The parts that rows are divided into; with folds, those of the folds are all in `train`."""
        return PARTS if self.folds is None else ("train", "test")

    @property
    def places(self) -> int:
        """In how many places a class, or a group, must be: each part, or the test and each fold."""
        return len(PARTS) if self.folds is None else self.folds.folds + 1


BY_CHANCE: tuple[str | None, ...] = ("random", "stratified", None)
"""The methods by which chance decides; where none is written, it is one of these two."""
_BELONGS_TO: dict[str, tuple[str | None, ...]] = {
    "key": ("hash",),
    "gap": ("time",),
    "window": ("time",),
    "duplicates": BY_CHANCE,
}
"""The methods that a key is for."""


def _misplaced(
    what: str, at: str | tuple[str, ...], methods: tuple[str | None, ...]
) -> PydanticCustomError:
    named = " or ".join(f"`method: {method}`" for method in methods if method)
    place = (at,) if isinstance(at, str) else at
    return PydanticCustomError(
        "split", "{what} belongs to {methods} only", {"what": what, "methods": named, "at": place}
    )


@dataclass(frozen=True, eq=False)
class Divided:
    """What is known of rows that are to be divided: one value a row in each array."""

    target: "Values | None"
    """None where rows have none."""
    columns: "tuple[Values, ...]"
    """Those of `Split.columns`."""
    content: "NDArray[np.uint64]"
    """A hash of features and target."""
    features: "NDArray[np.uint64]"
    """A hash of the features."""

    @property
    def rows(self) -> int:
        """How many there are."""
        return len(self.content)

    @property
    def classes(self) -> "Values":
        """The target of rows that have one.

        Raises:
            ValueError: They have none, so that no method should look at it.
        """
        if self.target is None:
            raise ValueError("rows without a target are not divided by their classes")
        return self.target

    def take(self, rows: "Indices") -> "Divided":
        """The same of some of the rows."""
        return Divided(
            None if self.target is None else self.target[rows],
            tuple(values[rows] for values in self.columns),
            self.content[rows],
            self.features[rows],
        )


def divide(split: Split, method: Method, given: Divided) -> Division:
    """Divide rows; with a gap, some are in no part.

    Args:
        split: The section.
        method: Its method, or what is usual for the task.
        given: What is known of the rows.

    Raises:
        TerminalError: The rows cannot be divided so; says what to write instead.
    """
    found = _METHODS[method](split, given)
    division = {part: found[part] for part in split.parts}
    asked = split.validation if split.folds is None else split.folds.in_words
    for part, rows in division.items():
        if len(rows) == 0:
            raise TerminalError(
                f"split: {given.rows} rows are too few: none would be left for {part} "
                f"(test {split.test}, validation {asked})"
            )
    return division


def _random(split: Split, given: Divided) -> Division:
    import numpy as np

    random = np.random.default_rng(split.seed)
    if split.duplicates is None:
        return _cut(random.permutation(given.rows), split)
    _, unit = np.unique(given.features, return_inverse=True)
    # Units in random order, and the rows of each one side by side.
    place = random.permutation(int(unit.max()) + 1)
    order = np.argsort(place[unit], kind="stable")
    return _cut(order, split, unit[order])


def _cut(order: "Indices", split: Split, unit: "Indices | None" = None) -> Division:
    """The last rows of an order are test, those before them validation, the first train.

    Args:
        order: Row numbers.
        split: Fractions.
        unit: What a border must not come between, in the same order.
    """
    rows = len(order)
    test = rows - round(rows * _fraction(split.test))
    train = test - round(rows * _fraction(split.validation))
    if unit is not None:
        train, test = (_between(unit, at) for at in (train, test))
    return {"train": order[:train], "validation": order[train:test], "test": order[test:]}


def _between(unit: "Indices", at: int) -> int:
    """The end of the unit that a border would divide."""
    while 0 < at < len(unit) and unit[at - 1] == unit[at]:
        at += 1
    return at


def _fraction(share: float | str | Folds) -> float:
    if isinstance(share, float):
        return share
    if isinstance(share, Folds):
        return 0.0  # the rows of the folds are in `train`
    raise TypeError("a period is not a fraction")  # validated: only with `method: time`


def _stratified(split: Split, given: Divided) -> Division:
    """Divide each class on its own, so that it is in every part."""
    import numpy as np

    random = np.random.default_rng(split.seed)
    first = unit = np.arange(given.rows)
    if split.duplicates == "together":
        _, first, unit = np.unique(given.features, return_index=True, return_inverse=True)
    # A unit is of the class of its first row.
    labels, codes = np.unique(given.classes[first], return_inverse=True)
    part_of = np.full(len(first), PARTS.index("train"))
    least = 1 if split.folds is None else 0
    for code, count in enumerate(np.bincount(codes)):
        if count < split.places:
            raise TerminalError(
                f"split: `method: stratified` needs {split.places} different rows of each class, and "
                f"there are {count} of {labels[code]}: see `guard.rare_classes`, or use `method: random`"
            )
        members = random.permutation(np.flatnonzero(codes == code))
        test = int(np.clip(round(count * _fraction(split.test)), 1, count - split.places + 1))
        share = round(count * _fraction(split.validation))
        validation = int(np.clip(share, least, count - test - 1))
        part_of[members[:test]] = PARTS.index("test")
        part_of[members[test : test + validation]] = PARTS.index("validation")
    return {part: np.flatnonzero(part_of[unit] == at) for at, part in enumerate(PARTS)}


def _time(split: Split, given: Divided) -> Division:
    """The newest rows are test; with a gap, those before a border are in no part."""
    import numpy as np

    (values,) = given.columns
    if values.dtype == object:
        raise TerminalError(
            "split.column: `method: time` needs a column of dates, timestamps or numbers: "
            "cast it in a transform, such as `cast(day as date)`"
        )
    needs_dates = next(
        (name for name in ("test", "validation") if isinstance(getattr(split, name), str)),
        next((name for name in ("gap", "window") if getattr(split, name)), None),
    )
    if needs_dates and values.dtype.kind != "M":
        raise TerminalError(
            f"split.{needs_dates}: a period needs dates or timestamps, and {split.column!r} holds "
            "numbers: cast it in a transform, or write a fraction"
        )
    order = np.argsort(values, kind="stable")
    times = values[order]
    _check_moments(times, split)
    test = _border(times, len(times), split.test, len(times))
    validation_end = end_before(times, test, split.gap)
    if isinstance(split.validation, Folds):
        return {"train": order[:validation_end], "test": order[test:]}
    validation = _border(times, validation_end, split.validation, len(times))
    end = end_before(times, validation, split.gap)
    return {
        "train": order[window_begin(times, end, split.window) : end],
        "validation": order[validation:validation_end],
        "test": order[test:],
    }


def _check_moments(times: "Values", split: Split) -> None:
    import numpy as np

    moments = len(np.unique(times))
    if moments < split.places:
        raise TerminalError(
            f"split: `method: time` keeps rows of one moment together, and {split.column!r} has {moments} different "
            "values: name a column that tells more moments apart, or use another method"
        )


def _border(times: "Values", end: int, share: float | str, rows: int) -> int:
    """Where the rows of a share begin that end at `end`."""
    import numpy as np

    if end == 0:
        return 0
    if isinstance(share, float):
        border = max(0, end - round(rows * share))
        # All rows of one moment are on the newer side.
        return border if border == end else int(np.searchsorted(times, times[border], side="left"))
    period = np.timedelta64(read_duration(share), "s")
    return int(np.searchsorted(times, times[end - 1] - period, side="right"))


def end_before(times: "Values", border: int, gap: int) -> int:
    """The end of the rows that lie `gap` seconds before a border, or longer."""
    import numpy as np

    if not gap or border in (0, len(times)):
        return border
    last = times[border] - np.timedelta64(gap, "s")
    return min(border, int(np.searchsorted(times, last, side="right")))


def window_begin(times: "Values", end: int, window: int) -> int:
    """Where the rows begin that are less than `window` seconds older than the last one before `end`; 0 without a window."""
    import numpy as np

    if not window or end == 0:
        return 0
    return int(np.searchsorted(times, times[end - 1] - np.timedelta64(window, "s"), side="right"))


def _group(split: Split, given: Divided) -> Division:
    """Deal whole groups out, in random order: first to test, then to validation, the rest to train."""
    import numpy as np

    (values,) = given.columns
    groups, codes = np.unique(np.asarray(values), return_inverse=True)
    if len(groups) < split.places:
        raise TerminalError(
            f"split: `method: group` needs {split.places} groups or more in {split.column!r}, "
            f"and there are {len(groups)}"
        )
    order = np.random.default_rng(split.seed).permutation(len(groups))
    filled = np.cumsum(np.bincount(codes)[order]) / len(codes)
    found = np.searchsorted(filled, _fraction(split.test))
    test = int(np.clip(found + 1, 1, len(groups) - split.places + 1))
    both = np.searchsorted(filled, filled[test - 1] + _fraction(split.validation)) + 1
    validation = int(np.clip(both, test + 1, len(groups) - 1)) if split.folds is None else test
    chosen: Division = {
        "test": order[:test],
        "validation": order[test:validation],
        "train": order[validation:],
    }
    return {part: np.flatnonzero(np.isin(codes, members)) for part, members in chosen.items()}


def _hash(split: Split, given: Divided) -> Division:
    """Each row's key decides, and nothing else; so a row stays where it is as others come and go."""
    import numpy as np

    place = hashed_place(split, given)
    test, validation = _fraction(split.test), _fraction(split.validation)
    is_test = place < test
    is_validation = ~is_test & (place < test + validation)
    return {
        "train": np.flatnonzero(~is_test & ~is_validation),
        "validation": np.flatnonzero(is_validation),
        "test": np.flatnonzero(is_test),
    }


def hashed_place(split: Split, given: Divided) -> "NDArray[np.float64]":
    """A number from 0 to 1 for each row, by its key and the seed; the lowest are test rows."""
    import numpy as np
    import pandas as pd

    key: Values = given.content
    if given.columns:
        # As texts: 7 and 7.0 are the same customer when a column's type changes.
        names = pd.DataFrame({str(at): _as_text(each) for at, each in enumerate(given.columns)})
        key = pd.util.hash_pandas_object(names, index=False).to_numpy(np.uint64)
    seeded = pd.util.hash_array(key ^ np.uint64(_spread(split.seed)))
    place: NDArray[np.float64] = seeded / np.float64(2**64)
    return place


def _as_text(values: "Values") -> "Values":
    """Each value as text, whatever the others are."""
    import numpy as np

    if values.dtype == object:
        return values
    texts = values.astype(str).astype(object)
    if values.dtype.kind == "f":
        whole = (values == np.floor(values)) & (np.abs(values) < 2**63)
        texts[whole] = values[whole].astype(np.int64).astype(str)
    return texts


def _spread(seed: int) -> int:
    """A seed's bits over a whole word, so that close seeds are as different as others."""
    return seed * 0x9E3779B97F4A7C15 % 2**64


_METHODS: dict[Method, Callable[[Split, Divided], Division]] = {
    "random": _random,
    "stratified": _stratified,
    "time": _time,
    "group": _group,
    "hash": _hash,
}
