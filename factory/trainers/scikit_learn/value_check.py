"""Whether the values of parameters are such as scikit-learn takes: by its own constraints, value by value."""

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

from factory.base.findings import Finding, KeyPath
from factory.base.objects import known_params, touches_files
from factory.base.section import DOTTED_PATH
from factory.base.texts import closest, either
from factory.team.explain import describe
from factory.trainers.native_categories import CATEGORIES, are_names
from factory.training.search.candidate import list_values
from factory.training.search.distributions import DISTRIBUTIONS
from factory.training.search.spaces import RANGES, SPACES, is_distribution, is_space, outermost

Accepts = Callable[[Any], bool]
"""Whether a parameter may have a value."""


@dataclass(frozen=True)
class Written:
    """A value of a parameter."""

    at: KeyPath
    """Where it stands, from the estimator's section."""
    value: Any
    comes_from: str | None = None
    """The range or distribution that makes it, where it is not written itself."""


def find_values(factory: type, params: Mapping[str, Any], *, has_spaces: bool) -> Iterator[Finding]:
    """Values that the estimator refuses, or that let it touch files; of a range, the first."""
    constraints = constraints_of(factory)
    for name, value in params.items():
        found = list(values_of(name, value, has_spaces=has_spaces))
        for written in found:
            if touches_files(name, written.value):
                message = f"`{name}: {written.value}` reads or writes files, or asks servers"
                yield Finding("params", written.at, message, "leave it out")
        if name not in constraints:
            if name in CATEGORIES and has_spaces and are_names(value):
                yield _one_value(factory, name, value)
            continue
        constraint = constraints[name]
        refused = [written for written in found if not constraint.accepts(written.value)]
        if refused and has_spaces and isinstance(value, list) and constraint.accepts(value):
            yield _one_value(factory, name, value)
            continue
        if refused and refused[0].comes_from:
            fractions = [one for one in found if _has_fraction(one)]
            if set(map(id, fractions)) <= set(map(id, refused)) and fractions:
                yield _fractions(factory, name, fractions[0], constraint)
            else:
                yield _refused(factory, name, refused[0], constraint, has_spaces=has_spaces)
        else:
            for written in refused:
                yield _refused(factory, name, written, constraint, has_spaces=has_spaces)


def _one_value(factory: type, name: str, value: list[Any]) -> Finding:
    message = f"`{name}` of {factory.__name__} takes a list, and each item of this one would be tried by itself"
    return Finding("params", ("params", name), message, f"write `{name}: [{value}]` for one value")


def _has_fraction(written: Written) -> bool:
    distribution = DISTRIBUTIONS.get(written.comes_from or "")
    is_drawn = distribution is not None and distribution.is_continuous
    return is_drawn or (isinstance(written.value, float) and not written.value.is_integer())


@dataclass(frozen=True)
class Constraint:
    """What a parameter may be."""

    parts: Sequence[Any]
    """scikit-learn's constraints, of which one must be met."""

    def accepts(self, value: object) -> bool:
        """Whether a value meets it; a list does where it would as a tuple, which it becomes."""
        return self._accepts(value) or self.wants_tuple(value)

    def wants_tuple(self, value: object) -> bool:
        """Whether a value is a list that is only taken as a tuple, of which YAML has none."""
        is_list = isinstance(value, list)
        return is_list and not self._accepts(value) and self._accepts(tuple(value))  # type: ignore[arg-type]

    def _accepts(self, value: object) -> bool:
        return any(part.is_satisfied_by(value) for part in self.parts)

    @property
    def options(self) -> list[str]:
        """The words that are taken, those that are on their way out left out."""
        words: set[str] = set()
        for part in self.parts:
            if not part.hidden:
                words |= {
                    one
                    for one in set(getattr(part, "options", ()))
                    - getattr(part, "deprecated", set())
                    if isinstance(one, str)
                }
        return sorted(words)

    @property
    def words(self) -> str:
        """What it takes, in a sentence."""
        shown = [part for part in self.parts if not part.hidden and not hasattr(part, "options")]
        said = dict.fromkeys(filter(None, (_words(part) for part in shown)))
        types = [words for words in said if words != _NULL]
        return either([*types, *self.options, *([_NULL] if _NULL in said else [])])

    @property
    def takes_objects(self) -> bool:
        """Whether it is for what no team file can hold, such as another estimator."""
        return any(hasattr(part, "methods") for part in self.parts)


def constraints_of(factory: type) -> dict[str, Constraint]:
    """What an estimator's parameters may be, where scikit-learn itself looks at it before it learns."""
    from sklearn.utils._param_validation import make_constraint

    given = getattr(factory, "_parameter_constraints", None)
    is_its_own = "_parameter_constraints" in vars(factory)
    if not isinstance(given, Mapping) or not (is_its_own or is_scikit_learns(factory)):
        return {}
    return {
        name: Constraint([make_constraint(part) for part in parts])
        for name, parts in given.items()
        if parts != "no_validation"
    }


def is_scikit_learns(factory: type) -> bool:
    """Whether a class is one of scikit-learn's."""
    return factory.__module__.startswith("sklearn.")


def values_of(name: str, value: Any, *, has_spaces: bool) -> Iterator[Written]:
    """The values that a parameter may get, each with its place; of distributions the outermost."""
    at: KeyPath = ("params", name)
    if not has_spaces:
        yield Written(at, value)
    elif isinstance(value, list):
        for index, one in enumerate(value):
            yield Written((*at, index), one)
    elif is_distribution(value):
        ((kind, bounds),) = value.items()
        for index, one in enumerate(outermost(kind, bounds)):
            yield Written((*at, kind, index), one, kind)
    elif is_space(value, RANGES):
        kind = next(iter(value))
        values = list_values(value)
        for number, one in enumerate(values):
            bound = {0: (0,), len(values) - 1: (1,)}.get(number, ())
            yield Written((*at, kind, *bound), one, kind)
    else:
        yield Written(at, value)


def _fractions(factory: type, name: str, written: Written, constraint: Constraint) -> Finding:
    """That a range or a distribution gives fractions where whole numbers are wanted, or is outside of the bounds."""
    if not constraint.accepts(round(written.value)):
        return _refused(factory, name, written, constraint, has_spaces=True)
    kind = written.comes_from
    advice = "write the whole numbers as a list, or so many that each step is one"
    if kind in DISTRIBUTIONS:
        advice = "`randint: [low, high]` draws whole numbers, from low to high - 1"
    message = (
        f"`{name}` of {factory.__name__} must be {constraint.words}, and `{kind}` gives fractions"
    )
    return Finding("params", written.at[:3], message, advice)


def _refused(
    factory: type, name: str, written: Written, constraint: Constraint, *, has_spaces: bool
) -> Finding:
    value = written.value
    if written.comes_from:
        shown = f"{value:.6g}" if isinstance(value, float) else str(value)
        found = f"`{written.comes_from}` gives {shown}"
    else:
        found = f"found {describe(value)}"
    message = f"`{name}` of {factory.__name__} must be {constraint.words}, {found}"
    advice = None if written.comes_from else _meant(value, constraint, has_spaces=has_spaces)
    if advice is None and (known := known_params(factory)) and name in known:
        advice = _default(name, known[name].default)
    return Finding("params", written.at, message, advice)


def _meant(value: object, constraint: Constraint, *, has_spaces: bool) -> str | None:
    """How to write what was probably meant."""
    accepts = constraint.accepts
    if constraint.takes_objects and isinstance(value, str) and value.lower() not in _NOTHING:
        path = value if _is_path(value) else "sklearn.svm.SVC"
        return f"write `{{estimator: {path}}}`"
    if isinstance(value, str):
        return _meant_text(value.strip(), constraint)
    if isinstance(value, dict) and value and accepts([]) and all(map(_is_path, value.values())):
        name, path = next(iter(value.items()))
        return f"write `{{{name}: {{estimator: {path}}}, ...}}`"
    if isinstance(value, float) and value.is_integer() and accepts(int(value)):
        return f"write {int(value)}, which is a whole number"
    if isinstance(value, dict) and has_spaces and len(value) == 1:
        return f"what is to be tried is a list, or one of {either(SPACES)}"
    if isinstance(value, list) and not has_spaces and value and all(map(accepts, value)):
        return "a trial has one value; to try each of a list, use `strategy: grid`"
    return None


def _is_path(value: object) -> bool:
    return isinstance(value, str) and DOTTED_PATH.fullmatch(value) is not None


def _meant_text(text: str, constraint: Constraint) -> str | None:
    accepts = constraint.accepts
    if text.lower() in _NOTHING and accepts(None):
        return "write null for None, without quotes"
    if text.lower() in _TRUTH and accepts(_TRUTH[text.lower()]):
        return f"write {str(_TRUTH[text.lower()]).lower()}, without quotes"
    number = _number(text)
    if number is not None and accepts(number):
        return f"write {number}, without quotes: in quotes it is text"
    near = closest(text, constraint.options)
    return f"did you mean `{near}`?" if near else None


_NULL = "null"
_NOTHING = ("none", "null", "nil", "")
_TRUTH = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


def _number(text: str) -> int | float | None:
    text = re.sub(r"^(-?\d+),(\d+)(\s*%)?$", r"\1.\2\3", text)
    if match := re.fullmatch(r"(-?\d+(?:\.\d+)?)\s*%", text):
        return float(match[1]) / 100
    for read in (int, float):
        try:
            number = read(text)
        except ValueError:
            continue
        return number if math.isfinite(number) else None
    return None


def _default(name: str, default: object) -> str | None:
    if default is None:
        return f"leave `{name}` out, or write null"
    if isinstance(default, bool):
        return f"its default is {str(default).lower()}"
    return f"its default is {default}" if isinstance(default, (str, int, float)) else None


def _words(part: Any) -> str | None:
    """A constraint in our words; None for what no team file can say."""
    kind = type(part).__name__
    if kind == "Interval":
        return _interval(part)
    if kind == "_InstancesOf":
        return _TYPES.get(part.type.__name__)
    return _CONSTRAINTS.get(kind)


_CONSTRAINTS = {
    "_NoneConstraint": _NULL,
    "_Booleans": "true or false",
    "_RandomStates": "a whole number",
    "_VerboseHelper": "a whole number",
    "_ArrayLikes": "a list",
    "_CVObjects": "a whole number of folds",
    "HasMethods": "an estimator",
}
"""scikit-learn's constraints by the names of their classes, which are its own."""
_TYPES = {
    "dict": "a mapping",
    "list": "a list",
    "tuple": "a list",
    "str": "text",
    "bool": "true or false",
    "int": "a whole number",
    "Integral": "a whole number",
    "float": "a number",
    "Real": "a number",
}


def _interval(part: Any) -> str:
    number = "a whole number" if part.type is Integral else "a number"
    has_left = part.left is not None and part.left != -math.inf
    has_right = part.right is not None and part.right != math.inf
    has_low, has_high = part.closed in ("left", "both"), part.closed in ("right", "both")
    if has_left and has_right:
        if part.closed == "both":
            return f"{number} from {part.left:g} to {part.right:g}"
        low = f"{'at least' if has_low else 'above'} {part.left:g}"
        return f"{number} {low} and {'at most' if has_high else 'below'} {part.right:g}"
    if has_left:
        return f"{number} of at least {part.left:g}" if has_low else f"{number} above {part.left:g}"
    if has_right:
        return (
            f"{number} of at most {part.right:g}" if has_high else f"{number} below {part.right:g}"
        )
    return number
