"""Columns that are probably not what they look like, and what to do about each."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from factory.base.texts import in_quotes, shown
from factory.data.profile.facts import ColumnFacts
from factory.data.roles import FEWEST_ROWS, NEARLY_ALL, SENTENCES, WORDS, is_identifier, words
from factory.data.sources.text_doubts import percent

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

Kind = Literal[
    "empty", "constant", "nearly_constant", "mostly_null", "identifier", "code", "dates_as_text", "dates_as_numbers",
    "numbers_as_text", "missing_as_text", "missing_as_number", "free_text", "copy", "spelling", "infinite", "name",
]  # fmt: skip

SAMPLE = 20_000
"""Rows that are compared value by value."""
_NEARLY = 0.8
_MOST = 0.995
"""The share of one value that makes a column nearly constant."""
_ALIKE = 0.99
"""The share of rows with the same value that makes one column a near copy of another."""
_IN_LINE = 0.99999
"""The correlation that makes one number another in another unit."""
_COMPARED = 200
"""Columns that are compared with each other."""
_PLACEHOLDERS = frozenset(
    {-1.0, -9.0, -99.0, -999.0, -9999.0, 99.0, 999.0, 9999.0, 99999.0, 999999.0}
)


@dataclass(frozen=True)
class Suspicion:
    """Something about a column that somebody should look at."""

    column: str
    kind: Kind
    text: str
    """What was found."""
    advice: str
    """What to do."""


@dataclass(frozen=True)
class Doubtful:
    """What reading has left in doubt about a column, in words."""

    kind: Kind
    text: str
    advice: str


def suspicions(
    facts: Sequence[ColumnFacts], rows: "pd.DataFrame", doubts: Mapping[str, Doubtful]
) -> list[Suspicion]:
    """What is suspicious, column by column.

    Args:
        facts: Of each column.
        rows: Some rows, at most `SAMPLE`.
        doubts: What reading has left in doubt, by column.
    """
    found = [one for column in facts for one in _of_column(column, rows, doubts)]
    return [*found, *_copies(facts, rows)]


def _of_column(
    column: ColumnFacts, rows: "pd.DataFrame", doubts: Mapping[str, Doubtful]
) -> Iterator[Suspicion]:
    def found(kind: Kind, text: str, advice: str) -> Suspicion:
        return Suspicion(column.name, kind, text, advice)

    if column.name != column.name.strip():
        yield found(
            "name",
            "the name begins or ends with a blank",
            "rename it in a transform: checks cannot name it",
        )
    if doubt := doubts.get(column.name):
        yield found(doubt.kind, doubt.text, doubt.advice)
    if not column.values:
        yield found("empty", "has no value", "leave it out in a transform")
        return
    yield from (found(*one) for one in _of_shares(column))
    if column.is_nested:
        return
    values = rows[column.name].dropna()
    if column.name not in doubts and _identifies(column, values):
        text = f"{column.distinct:,} different values in {column.values:,} rows: tells rows apart"
        yield found("identifier", text, "leave it out of `features`: it says nothing of new rows")
    if column.is_text:
        yield from (found(*one) for one in _of_text(column, values, is_known=column.name in doubts))
    if column.is_number:
        yield from (found(*one) for one in _of_number(column))


def _identifies(column: ColumnFacts, values: Any) -> bool:
    """Whether a column tells rows apart, of which some values are given."""
    if column.values < FEWEST_ROWS or column.distinct < NEARLY_ALL * column.values:
        return False
    return (column.is_text or column.is_number) and is_identifier(column.name, values)


def _of_shares(column: ColumnFacts) -> Iterator[tuple[Kind, str, str]]:
    if column.distinct == 1 and column.rows > 1:
        value = shown(column.top[0][0], 30)
        if column.nulls:
            text = f"is '{value}' or empty ({percent(column.nulls / column.rows)} of the rows)"
            yield "constant", text, "whether there is a value may tell what is to be predicted"
        else:
            yield "constant", f"is always '{value}'", "no model learns from it"
    elif column.top and column.values >= 200 and column.top[0][1] >= _MOST * column.values:
        value, count = column.top[0]
        text = f"{percent(count / column.values)} of its values are {in_quotes(value, 30)}"
        yield "nearly_constant", text, "a model can hardly learn from it"
    if column.nulls > column.rows / 2:
        text = f"{percent(column.nulls / column.rows)} of the rows have no value"
        yield "mostly_null", text, "find out what a missing value means"


def _of_text(
    column: ColumnFacts, values: Any, *, is_known: bool
) -> Iterator[tuple[Kind, str, str]]:
    text = column.text
    if text is None:
        return
    if text.padded and text.integers == column.values:
        example = next(
            (value for value, _ in column.top if re.fullmatch("[+-]?0[0-9]+", value.strip())), ""
        )
        told = f"whole numbers, {text.padded:,} with a zero before them" + (
            f", as {in_quotes(example, 20)}" if example else ""
        )
        yield "code", f"{told}: a code", "it stays text, so that the zeros stay"
    elif text.powers and text.powers + text.integers == column.values:
        yield "code", "such as 1E5: a code, or numbers with powers of ten", "it stays text"
    elif not is_known and text.numbers >= _NEARLY * column.values:
        told = f"{percent(text.numbers / column.values)} of its values are numbers, and its type is text"
        yield "numbers_as_text", told, "cast it in a transform if they are amounts"
    elif not is_known and text.dates >= _NEARLY * column.values:
        told = f"{percent(text.dates / column.values)} of its values look like dates, and its type is text"
        yield (
            "dates_as_text",
            told,
            "say how they are written in `date_format`, or cast it in a transform, if so",
        )
    if text.missing and not is_known:
        missing = ", ".join(
            f"{count:,} × {in_quotes(value, 12)}"
            for value, count in column.top
            if _is_missing(value)
        )
        yield (
            "missing_as_text",
            f"{missing or f'{text.missing:,} values'}: often stands for no value",
            "name it in `null_values`, or write null in a transform, if so",
        )
    if text.surrounded or text.same_but_for_case:
        yield (
            "spelling",
            _spelled(column.values, text.surrounded, text.same_but_for_case),
            "write it one way in a transform: `lower(trim(…))`",
        )
    if column.distinct >= SENTENCES and (average := words(values)) >= WORDS:
        told = f"{column.distinct:,} different texts of {average:.0f} words"
        yield (
            "free_text",
            told,
            "by default a model learns from its words: leave it out of `features`, or say in `preprocessing` how it is read",
        )


def _is_missing(value: str) -> bool:
    from factory.data.sources.text_forms import NO_VALUE

    return value.strip().lower() in NO_VALUE


def _spelled(values: int, surrounded: int, less: int) -> str:
    told = []
    if surrounded:
        told.append(
            f"{percent(surrounded / values)} of its values have blanks before or behind them"
        )
    if less:
        noun = "value differs" if less == 1 else "values differ"
        told.append(f"{less:,} {noun} from others by blanks or upper and lower case only")
    return "; ".join(told)


def _of_number(column: ColumnFacts) -> Iterator[tuple[Kind, str, str]]:
    if column.infinite:
        noun = "value is" if column.infinite == 1 else "values are"
        yield (
            "infinite",
            f"{column.infinite:,} {noun} infinite",
            "write null in a transform: no model learns from them",
        )
    if placeholder := _placeholder(column):
        value, count = placeholder
        told = f"{count:,} × {value}, far from all others: may stand for no value"
        yield "missing_as_number", told, f"write null in a transform if so: `nullif(…, {value})`"
    if _are_days(column):
        yield (
            "dates_as_numbers",
            f"whole numbers such as {column.top[0][0]}, each of them a day",
            "read it as a date: `date_format: '%Y%m%d'`, or in a transform",
        )


def _placeholder(column: ColumnFacts) -> tuple[str, int] | None:
    """The value at an end of a column that stands for no value, if one seems to."""
    if len(column.quartiles) != 3 or column.distinct < 5 or column.deviation is None:
        return None
    low, _, high = column.quartiles
    reach = max(high - low, abs(high) * 0.05, 1e-9)
    for value, count in column.top:
        number = float(value)
        is_end = number in (float(column.minimum), float(column.maximum))
        is_far = number < low - 3 * reach or number > high + 3 * reach
        if count > 1 and is_end and is_far and number in _PLACEHOLDERS:
            return value, count
    return None


def _are_days(column: ColumnFacts) -> bool:
    from datetime import datetime

    if column.kind not in ("INTEGER", "BIGINT") or column.distinct < 5:
        return False
    if not 19000101 <= column.minimum <= column.maximum <= 22001231:
        return False
    try:
        for value, _ in column.top:
            datetime.strptime(value, "%Y%m%d")  # noqa: DTZ007 - only whether it is one
    except ValueError:
        return False
    return True


def _copies(facts: Sequence[ColumnFacts], rows: "pd.DataFrame") -> Iterator[Suspicion]:
    """Columns that say nearly the same as an earlier one."""
    looked = [
        column
        for column in facts
        if column.distinct > 1 and not column.is_nested and column.values > column.rows / 2
    ][:_COMPARED]
    if len(rows) < 10:
        return
    values = {column.name: _comparable(rows[column.name], column) for column in looked}
    partitions = {name: _codes(found) for name, found in values.items()}
    said: set[str] = set()
    for at, column in enumerate(looked):
        for other in looked[:at]:
            if other.name in said:
                continue
            told = _same(other, column, values, partitions)
            if told:
                said.add(column.name)
                yield Suspicion(column.name, "copy", told, "leave one of them out of `features`")
                break


def _same(
    one: ColumnFacts,
    other: ColumnFacts,
    values: "Mapping[str, NDArray[Any]]",
    partitions: "Mapping[str, NDArray[Any]]",
) -> str | None:
    """In which way two columns say the same, in words; None if they do not."""
    import numpy as np

    left, right = values[one.name], values[other.name]
    name = in_quotes(one.name, 40)
    if one.is_number == other.is_number and one.is_time == other.is_time:
        alike = float(np.mean((left == right) | (_missing(left) & _missing(right))))
        if alike >= _ALIKE:
            share = "all" if alike == 1 else percent(alike)
            return f"has the value of {name} in {share} of the rows"
    if one.is_number and other.is_number and min(one.distinct, other.distinct) > 2:
        both = ~(_missing(left) | _missing(right))
        if both.sum() > 0.5 * len(left) and _correlation(left[both], right[both]) >= _IN_LINE:
            return f"goes up and down with {name}: the same in another unit"
        return None
    # Whatever tells rows apart does so in the same way.
    are_few = max(one.distinct, other.distinct) <= one.values / 2
    if (
        are_few
        and one.distinct == other.distinct
        and np.array_equal(partitions[one.name], partitions[other.name])
    ):
        return f"says the same as {name} in other words: each of {one.distinct} values goes with one of its"
    return None


def _comparable(values: "pd.Series[Any]", column: ColumnFacts) -> "NDArray[Any]":
    import numpy as np
    import pandas as pd

    if column.is_number:
        return np.asarray(pd.to_numeric(values).astype("float64"))
    return np.asarray(values.astype("string").fillna("").astype(object))


def _codes(values: "NDArray[Any]") -> "NDArray[Any]":
    """A number for each value, in the order in which they come: equal where the same rows have the same value."""
    import pandas as pd

    codes: NDArray[Any] = pd.factorize(values, use_na_sentinel=False)[0]
    return codes


def _missing(values: "NDArray[Any]") -> "NDArray[Any]":
    import numpy as np

    missing: NDArray[Any] = np.isnan(values) if values.dtype.kind == "f" else values == ""
    return missing


def _correlation(left: "NDArray[Any]", right: "NDArray[Any]") -> float:
    import numpy as np

    finite = np.isfinite(left) & np.isfinite(right)
    left, right = left[finite], right[finite]
    if len(left) < 10 or not left.std() or not right.std():
        return 0.0
    return abs(float(np.corrcoef(left, right)[0, 1]))
