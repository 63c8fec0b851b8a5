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
    """The column with the probability of each class, in their order.

    What is no letter, digit or underscore in a class becomes an underscore. Of classes that then have the same
    name, upper and lower case being the same, the second gets `_2` at its end, and so on.
    """
    columns: dict[str, Class] = {}
    taken: set[str] = set()
    for one in classes:
        text = str(one).lower() if isinstance(one, bool) else str(one)
        bare = "probability_" + re.sub(r"\W", "_", text)
        name, number = bare, 1
        while name.lower() in taken:
            number += 1
            name = f"{bare}_{number}"
        taken.add(name.lower())
        columns[name] = one
    return columns


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
