"""What the columns of predictions are called, and their types; as far as that needs no model."""

import re
from collections.abc import Iterable

from factory.data.column_types import Types
from factory.training.metrics import Class

VERSIONS: Types = {"model_version": "BIGINT", "input_version": "BIGINT"}
"""The columns that say what a prediction was made with, and from."""
INTERVAL: Types = {"lower": "DOUBLE", "upper": "DOUBLE"}
"""The columns of an interval."""


def class_columns(classes: Iterable[Class]) -> dict[str, Class]:
    """The column with the probability of each class, in their order; see `plain_names`."""
    known = tuple(classes)
    texts = (str(one).lower() if isinstance(one, bool) else str(one) for one in known)
    names = (f"probability_{name}" for name in plain_names(texts))
    return dict(zip(names, known, strict=True))


def plain_names(texts: Iterable[str]) -> tuple[str, ...]:
    """Texts as the end of a column's name, in their order.

    What is no letter, digit or underscore becomes an underscore. Of texts that then are the same, upper and lower case
    being the same, the second gets `_2` at its end, and so on.
    """
    taken: dict[str, str] = {}
    for text in texts:
        bare = re.sub(r"\W", "_", text)
        name, number = bare, 1
        while name.lower() in taken:
            number += 1
            name = f"{bare}_{number}"
        taken[name.lower()] = name
    return tuple(taken.values())


def explanation_columns(features: int) -> Types:
    """The columns that name the features that contribute the most to a prediction, and by how much."""
    return {
        name: kind
        for number in range(1, features + 1)
        for name, kind in (
            (f"feature_{number}", "VARCHAR"),
            (f"contribution_{number}", "DOUBLE"),
        )
    }
