"""What the values of a column seem to be for: to tell rows apart, or to say something in sentences.

Guards before promotion, monitoring and `factory inspect` ask the same, by the same limits unless a team writes others.
"""

import re
from typing import Any

FEWEST_ROWS = 50
"""With fewer rows nobody can tell whether values nearly all differ by chance."""
NEARLY_ALL = 0.95
"""The share of different values from which on they nearly all differ."""
SENTENCES = 100
"""From how many different texts on they are no categories, if they are sentences."""
WORDS = 3
"""From how many words on, on average, texts are sentences."""

_ID = re.compile(r"(^|[_ .-])(id|uuid|guid|key|nr|no|number|code)$", re.IGNORECASE)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def names_rows(
    name: str, values: Any, *, rows: int = FEWEST_ROWS, distinct: float = NEARLY_ALL
) -> bool:
    """Whether a column's values nearly all differ, and are numbers or names of their rows.

    Args:
        name: The column's name.
        values: A pandas Series without nulls.
        rows: With how many at least.
        distinct: From what share of different values on they nearly all differ.
    """
    if len(values) < rows or values.nunique() < distinct * len(values):
        return False
    return is_identifier(name, values)


def are_sentences(values: Any, *, distinct: int = SENTENCES, least_words: float = WORDS) -> bool:
    """Whether texts are written by people, and no categories.

    Args:
        values: A pandas Series of texts without nulls.
        distinct: From how many different ones on.
        least_words: From how many words on, on average.
    """
    return values.nunique() >= distinct and words(values) >= least_words


def is_identifier(name: str, values: Any) -> bool:
    """Whether values that nearly all differ are numbers or names of their rows.

    Args:
        name: The column's name, which tells of numbers that are not counted without gaps.
        values: A pandas Series without nulls.
    """
    import pandas as pd

    if not pd.api.types.is_numeric_dtype(values):
        is_text = not pd.api.types.is_datetime64_any_dtype(values)
        return is_text and words(values) < WORDS
    if not bool((values % 1 == 0).all()):
        return False
    is_dense = values.max() - values.min() < 1.5 * len(values)
    return is_dense or is_named_as_identifier(name)


def is_named_as_identifier(name: str) -> bool:
    """Whether a column's name is one that identifiers have: `id`, `order_no`, `PassengerId`."""
    return _ID.search(_CAMEL.sub("_", name)) is not None


def words(values: Any) -> float:
    """How many words the texts of a pandas Series have, on average."""
    return float(values.astype(str).str.split().str.len().mean())
