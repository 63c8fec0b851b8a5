"""What a fitted model consists of, however deep: estimators within others, trees, tables."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.preprocessing import FunctionTransformer


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


def make_plain(model: object) -> None:
    """Bring what is slow to store, or is not stored at all, into a form of the same meaning.

    Words of vocabularies get Python's integers in place of NumPy's, for each of which skops 0.16 writes a file: a model
    with 20,000 words then takes a minute to be stored, one with 100,000 more than six. Functions with arguments, as histogram
    boosting has one beside its categories, become functions and arguments, each of a type that is known.
    """
    for part in parts(model):
        if isinstance(part, CountVectorizer) and hasattr(part, "vocabulary_"):
            part.vocabulary_ = {word: int(column) for word, column in part.vocabulary_.items()}
        elif isinstance(part, FunctionTransformer):
            function = part.func
            if isinstance(function, partial) and not function.args:
                part.func = function.func
                part.kw_args = {**function.keywords, **(part.kw_args or {})}
