"""Names of trials that a person recognizes in Airflow's grid and in MLflow."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

# Airflow cuts a rendered map index off at 250 characters.
_LONGEST = 200


def name_trials(trials: Sequence[tuple[str, dict[str, Any]]]) -> list[str]:
    """A unique name for each (estimator, parameters): `LogisticRegression C=0.1`.

    Only parameters that vary among trials of the same estimator are named; where that leaves two
    trials with one name, their place in the sweep is added.
    """
    names = []
    for estimator, params in trials:
        alike = [other for path, other in trials if path == estimator]
        shown = [
            f"{name}={_brief(value)}"
            for name, value in params.items()
            if any(name not in other or repr(other[name]) != repr(value) for other in alike)
        ]
        names.append(" ".join([estimator.rpartition(".")[2], *shown])[:_LONGEST])
    often = Counter(names)
    return [
        f"{name} #{place}" if often[name] > 1 else name for place, name in enumerate(names, start=0)
    ]


def _brief(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value).replace(" ", "")
