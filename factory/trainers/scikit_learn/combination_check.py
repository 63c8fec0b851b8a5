"""Whether the values of parameters go together: scikit-learn's estimators are fitted to a few made-up rows.

scikit-learn looks at most combinations only when it learns: a penalty that its solver has not, say. Whether
a fit fails may also depend on the rows, of which nothing is known here. So numbers are replaced by small
ones, and something is found only where a fit fails with the very same words on rows of several shapes, on
which the estimator learns without these parameters.
"""

import math
import random
import re
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from factory.base.findings import Finding
from factory.base.objects import known_params
from factory.base.texts import either
from factory.trainers.scikit_learn.value_check import (
    Constraint,
    Written,
    constraints_of,
    is_scikit_learns,
    values_of,
)
from factory.trainers.trainer import WrittenEstimator
from factory.training.several_targets.estimators import made_up_rows
from factory.training.tasks import TASKS

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MOST_COMBINATIONS = 64
"""As many are fitted of one estimator; of more, some."""
_SECONDS = 20.0
"""For one estimator; what is not looked at by then is not found."""
_FEW = 2
"""What takes the place of larger numbers."""
_SHORT = {"n_estimators": 2, "max_iter": 20}
"""What is set where it is left out, so that a fit takes milliseconds."""
_QUIET = {"n_jobs": None, "random_state": 0, "verbose": 0}
"""What is set in any case."""
_NEVER_FITTED = ("precomputed",)
"""Words that ask for rows of a kind which the preprocessing of a team may well make."""
_OF_THE_TARGET = ("scoring",)
"""Parameters whose words are right or wrong for the target's values."""
_SHAPES = ((60, 4, 2), (90, 7, 3), (64, 2, 2))
"""Rows, features and classes."""
_LEAST_SHAPES = 2
"""On rows of so many shapes an estimator must learn by itself before anything is said about it."""


@dataclass(frozen=True)
class _Value:
    """A value of a parameter, and the one that is fitted in its place."""

    written: Written
    fitted: Any


def find_combinations(factory: type, written: WrittenEstimator) -> Iterator[Finding]:
    """Combinations of values with which the estimator refuses to learn, whatever the rows."""
    if not is_scikit_learns(factory) or not written.params:
        return
    constraints = constraints_of(factory)
    lists = {
        name: _different(name, value, constraints.get(name), has_spaces=written.has_spaces)
        for name, value in written.params.items()
    }
    task = TASKS[written.task]
    fits = _fits(factory, task.has_classes, task.name if task.has_several else None)
    until = time.monotonic() + _SECONDS
    told = set()
    for values in _combinations(lists):
        if time.monotonic() > until:
            return
        finding = _look(fits, values, constraints, is_certain=written.is_exhaustive)
        if finding is not None and (finding.path, finding.message) not in told:
            told.add((finding.path, finding.message))
            yield finding


def _different(
    name: str, value: Any, constraint: Constraint | None, *, has_spaces: bool
) -> list[_Value]:
    """The values of a parameter that make a difference; those whose meaning depends on rows are left out."""
    found: dict[str, _Value] = {}
    for written in values_of(name, value, has_spaces=has_spaces):
        if name in _OF_THE_TARGET:
            continue
        if constraint is not None and _is_decided(written.value, constraint):
            fitted = _small(written.value, constraint)
            found.setdefault(repr(fitted), _Value(written, fitted))
    return list(found.values())


def _is_decided(value: object, constraint: Constraint) -> bool:
    if isinstance(value, str):
        return value in constraint.options and value not in _NEVER_FITTED
    return value is None or isinstance(value, (bool, int, float))


def _small(value: Any, constraint: Constraint) -> Any:
    if value is None or isinstance(value, (str, bool)):
        return value
    if value > _FEW and math.isfinite(value):
        small: int | float = _FEW if isinstance(value, int) else float(_FEW)
    elif isinstance(value, float) and 0 < value < 1:
        small = 0.5
    else:
        return value
    return small if constraint.accepts(small) else value


def _combinations(lists: Mapping[str, Sequence[_Value]]) -> Iterator[dict[str, _Value]]:
    """The combinations, or some of them where there are too many."""
    total = math.prod(map(len, lists.values()))
    numbers: Sequence[int] = range(total)
    if total > _MOST_COMBINATIONS:
        numbers = random.Random(0).sample(numbers, _MOST_COMBINATIONS)  # noqa: S311 - no secret
    for number in numbers:
        values = {}
        for name, choices in lists.items():
            number, index = divmod(number, len(choices))  # noqa: PLW2901 - its next digit
            values[name] = choices[index]
        yield values


def _look(
    fits: "_Fits",
    values: Mapping[str, _Value],
    constraints: Mapping[str, Constraint],
    *,
    is_certain: bool,
) -> Finding | None:
    params = {name: one.fitted for name, one in values.items()}
    refusal = fits.refusal(params)
    as_written = {
        name: one.fitted if name in _SHORT else one.written.value for name, one in values.items()
    }
    if refusal is None or fits.refusal(as_written) is None:
        return None
    said = {
        name: re.search(rf"\b{name}\b", refusal, re.IGNORECASE) is not None
        for name in fits.defaults
    }
    needed = [name for name in params if fits.refusal(_without(params, name)) != refusal]
    culprit = next(iter([*(name for name in needed or params if said[name]), *needed, *params]))
    others = [
        name
        for name, default in fits.defaults.items()
        if said[name] and (name in params or _is_worth_saying(default, constraints.get(name)))
    ]
    partners = [name for name in dict.fromkeys((*needed, *others)) if name != culprit]
    if all(_is_number(params.get(name, fits.defaults[name])) for name in (culprit, *partners)):
        return None  # whether numbers are right is rather a matter of the rows
    shown = {**fits.defaults, **{name: one.written for name, one in values.items()}}
    pairs = [f"`{name}: {_yaml(shown[name])}`" for name in (culprit, *partners)]
    what = " with ".join(filter(None, (pairs[0], " and ".join(pairs[1:]))))
    ways = (_way_out(fits, params, name, constraints) for name in partners)
    written = values[culprit].written
    return Finding(
        "combination" if is_certain else "possible_combination",
        written.at[:2] if written.comes_from else written.at,
        f"{fits.factory.__name__} refuses {what}: {refusal}",
        next(filter(None, ways), None),
    )


def _is_worth_saying(default: object, constraint: Constraint | None) -> bool:
    """Whether a parameter that is left out has a default that a person would recognise."""
    if default is None or isinstance(default, bool):
        return True
    return constraint is not None and default in constraint.options


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _without(params: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {other: value for other, value in params.items() if other != name}


def _way_out(
    fits: "_Fits", params: Mapping[str, Any], name: str, constraints: Mapping[str, Constraint]
) -> str | None:
    """The values of another parameter with which the estimator learns."""
    now = params.get(name, fits.defaults[name])
    if isinstance(now, bool):
        others: list[Any] = [not now]
    else:
        words = constraints[name].options if name in constraints else []
        others = [word for word in words if word not in _NEVER_FITTED]
    fitting = [_yaml(one) for one in others if fits.refusal({**params, name: one}) is None]
    return f"`{name}` can be {either(fitting)}" if fitting else None


def _yaml(value: object) -> str:
    if isinstance(value, Written):
        return f"{{{value.comes_from}: ...}}" if value.comes_from else _yaml(value.value)
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)


@cache
def _fits(factory: type, has_classes: bool, several: str | None) -> "_Fits":  # noqa: FBT001 - a key
    return _Fits(factory, has_classes=has_classes, several=several)


class _Fits:
    """Fits of an estimator to rows of several shapes, each combination once."""

    def __init__(self, factory: type, *, has_classes: bool, several: str | None) -> None:
        self.factory = factory
        self.defaults = {
            name: parameter.default for name, parameter in (known_params(factory) or {}).items()
        }
        self._short = {name: value for name, value in _SHORT.items() if name in self.defaults}
        self._quiet = {name: value for name, value in _QUIET.items() if name in self.defaults}
        self._data = [
            data
            for shape in _SHAPES
            for data in [_rows(*shape, has_classes=has_classes, several=several)]
            if self._error({}, data) is None
        ]
        self._known: dict[str, str | None] = {}

    def refusal(self, params: Mapping[str, Any]) -> str | None:
        """What the estimator says whatever the rows, if it refuses them all with the same words."""
        key = repr(sorted(params.items()))
        if key not in self._known:
            self._known[key] = self._refusal(params)
        return self._known[key]

    def _refusal(self, params: Mapping[str, Any]) -> str | None:
        if len(self._data) < _LEAST_SHAPES:
            return None
        first = self._error(params, self._data[0])
        if not first or any(self._error(params, data) != first for data in self._data[1:]):
            return None
        return first

    def _error(
        self, params: Mapping[str, Any], data: "tuple[NDArray[Any], NDArray[Any]]"
    ) -> str | None:
        """The first line of what the estimator says when it refuses to learn; empty where it breaks down."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                self.factory(**{**self._short, **params, **self._quiet}).fit(*data)
            except (NotImplementedError, TypeError, ValueError) as error:
                return next(iter(str(error).strip().splitlines()), repr(error))
            except Exception:  # noqa: BLE001 - no refusal, and not for its parameters alone
                return ""
        return None


def _rows(
    rows: int, features: int, classes: int, *, has_classes: bool, several: str | None
) -> "tuple[NDArray[Any], NDArray[Any]]":
    """Features, and a target that follows from the first of them; numbers are positive.

    Of a task with several targets they are two.
    """
    import numpy as np

    if several is not None:
        has_labels = TASKS[several].has_categories
        return made_up_rows(rows, features, is_several=True, has_classes=has_labels)

    chance = np.random.default_rng(0)
    values = chance.uniform(0.1, 2, (rows, features))
    order = np.argsort(np.argsort(values[:, 0]))
    return values, (order * classes // rows if has_classes else values[:, 0] + 0.1)
