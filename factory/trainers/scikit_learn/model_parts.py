"""What a fitted model consists of, however deep: estimators within others, trees, tables."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer


def parts(model: object) -> Iterator[Any]:
    """The model and every object that it holds, each once."""
    seen: set[int] = set()
    pending = [model]
    while pending:
        found = pending.pop()
        if id(found) in seen:
            continue
        seen.add(id(found))
        yield found
        if isinstance(found, dict):
            pending.extend(found.values())
        elif isinstance(found, (list, tuple, set)):
            pending.extend(found)
        elif isinstance(found, np.ndarray):
            if found.dtype == object:
                pending.extend(found.ravel().tolist())
        elif hasattr(found, "__dict__") and not isinstance(found, type):
            pending.extend(vars(found).values())


def make_vocabularies_plain(model: object) -> None:
    """Number the words of each vocabulary with Python's integers.

    scikit-learn takes NumPy's, and skops 0.16 writes a file for each: a model with 20,000 words then takes a minute to be
    stored, one with 100,000 more than six.
    """
    for part in parts(model):
        if isinstance(part, CountVectorizer) and hasattr(part, "vocabulary_"):
            part.vocabulary_ = {word: int(column) for word, column in part.vocabulary_.items()}
