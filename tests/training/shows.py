"""What was shown for queries by a formula, and models that rank it, for the tests of rankings."""

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from factory.training.model import Model
from tests.training.models import one_trial


def frame(queries: int = 80, seed: int = 0) -> pd.DataFrame:
    """4 to 11 documents a query: how well each matches, and how many clicked; some queries have nothing of use."""
    random = np.random.default_rng(seed)
    sizes = random.integers(4, 12, queries)
    query = np.repeat(np.arange(queries), sizes)
    match = random.uniform(0, 1, len(query))
    clicks = random.poisson(20, len(query)).astype(float)
    # Queries differ in how much is clicked at all, which says nothing about an order within them.
    level = random.normal(0, 3, queries)[query]
    good = 3 * match + 0.05 * clicks + random.normal(0, 0.3, len(query))
    relevance = np.clip(np.round(good - 1.5), 0, 4).astype(int)
    relevance[query % 10 == 0] = 0
    return pd.DataFrame(
        {
            "query": [f"q{number:03d}" for number in query],
            "document": np.arange(len(query)),
            "match": match,
            "clicks": clicks + 10 * np.abs(level),
            "level": level,
            "relevance": relevance,
        }
    )


def table(rows: pd.DataFrame | None = None) -> pa.Table:
    return pa.Table.from_pandas(frame() if rows is None else rows, preserve_index=False)


def ranker(estimator: str = "sklearn.linear_model.Ridge", /, **changes: Any) -> Model:
    """A model that ranks the documents of a query, with changes."""
    section = {
        "task": "ranking",
        "train_on": "shows",
        "target": "relevance",
        "group": "query",
        "features": ["match", "clicks", "level"],
        "search": one_trial(estimator),
        "objective": {"metric": "ndcg_at_10"},
    }
    return Model.model_validate({**section, **changes})
