"""Checks as SQL: which rows of `result` do not pass."""

from dataclasses import dataclass

from factory.data.checks.sections import (
    AcceptedValues,
    Between,
    Check,
    Duplicate,
    Expression,
    Freshness,
    LabelCount,
    Matches,
    MinSize,
    NotNull,
    Readable,
    RowCount,
    Unique,
)
from factory.lake.engine import literal, quote


@dataclass(frozen=True)
class RowCondition:
    """A check of each row by itself."""

    failing: str
    """SQL that is true for a row that does not pass, and never null."""
    alone: bool = False
    """Whether it needs a query of its own, since nobody knows what is in it."""


def row_condition(check: Check) -> RowCondition | None:
    """The condition of a check that looks at each row by itself; None for the others."""
    match check:
        case NotNull():
            return RowCondition(" or ".join(f"{quote(name)} is null" for name in check.columns))
        case AcceptedValues():
            accepted = ", ".join(literal(value) for value in check.values)
            return RowCondition(f"coalesce({quote(check.column)} not in ({accepted}), false)")
        case Between():
            return RowCondition(f"coalesce({_outside(check)}, false)")
        case Matches():
            text = f"{quote(check.column)}::varchar"
            found = f"regexp_matches({text}, {literal(check.pattern)})"
            return RowCondition(f"coalesce(not {found}, false)")
        case Readable():
            return RowCondition("format is null or width is null or height is null")
        case MinSize():
            sides = [f"{side} < {least}" for side, least in _sides(check)]
            return RowCondition(f"coalesce({' or '.join(sides)}, false)")
        case Expression():
            # The line break ends a comment that the expression may end with.
            return RowCondition(f"({check.expression}\n) is not true", alone=True)
    return None


def checked_columns(check: Check) -> tuple[str, ...]:
    """The columns that a check names."""
    match check:
        case NotNull() | Unique():
            return check.columns
        case AcceptedValues() | Between() | Matches() | Freshness() | LabelCount():
            return (check.column,)
        case Readable():
            return ("format", "width", "height")
        case MinSize():
            return tuple(side for side, _ in _sides(check))
        case Duplicate():
            return ("image",)
    return ()


def describe(check: Check) -> str:
    """A check in one line, as a person would say it."""
    match check:
        case NotNull() | Unique():
            return f"{check.check}({', '.join(check.columns)})"
        case AcceptedValues():
            return f"accepted_values({check.column}: {', '.join(map(str, check.values))})"
        case Between():
            return f"between({check.column}: {_bounds(check)})"
        case Matches():
            return f"matches({check.column}: {check.pattern})"
        case RowCount():
            return f"row_count({_bounds(check)})"
        case Freshness():
            return f"freshness({check.column}: at most {check.max_age} s old)"
        case Expression():
            return f"expression({check.expression})"
        case MinSize():
            sides = [f"{side} {least}" for side, least in _sides(check)]
            return f"min_size({', '.join(sides)})"
        case LabelCount():
            return f"label_count({check.column}: {_bounds(check)})"
    return check.check


def within(check: Between | RowCount | LabelCount, value: float) -> bool:
    """Whether a number lies within a check's bounds, both included."""
    return not (
        (check.min is not None and value < check.min)
        or (check.max is not None and value > check.max)
    )


def _sides(check: MinSize) -> list[tuple[str, int]]:
    """The sides that a picture is measured at, and their least lengths in pixels."""
    sides = (("width", check.width), ("height", check.height))
    return [(side, least) for side, least in sides if least is not None]


def _outside(check: Between) -> str:
    column = quote(check.column)
    sides = []
    if check.min is not None:
        sides.append(f"{column} < {literal(check.min)}")
    if check.max is not None:
        sides.append(f"{column} > {literal(check.max)}")
    # DuckDB puts NaN above every number, so that a lower bound alone would let it pass.
    return " or ".join([*sides, f"try_cast({column} as double) = 'nan'::double"])


def _bounds(check: Between | RowCount | LabelCount) -> str:
    if check.min is None:
        return f"at most {check.max:g}"
    if check.max is None:
        return f"at least {check.min:g}"
    return f"{check.min:g} to {check.max:g}"
