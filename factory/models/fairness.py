"""`promotion.fairness`: differences between groups of test rows, by fairlearn."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pydantic import Field
from pydantic_core import PydanticCustomError

from factory.base.errors import TerminalError
from factory.base.rules import Broken, rule
from factory.base.section import ListOf, Section, Text
from factory.base.texts import did_you_mean, one_of

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from factory.training.metrics import Class

MEASURES: Mapping[str, str] = MappingProxyType(
    {
        "demographic_parity_difference": "max",
        "demographic_parity_ratio": "min",
        "equal_opportunity_difference": "max",
        "equal_opportunity_ratio": "min",
        "equalized_odds_difference": "max",
        "equalized_odds_ratio": "min",
    }
)
"""fairlearn's measures, by its names, each with the bound that makes sense. All of them are from 0 to 1."""
_HOW_TO_INSTALL = 'pip install "ml-dag-factory[fairness]"'


class FairnessLimit(Section):
    """The limit of a measure: `max` of a difference, `min` of a ratio."""

    min: float | None = Field(default=None, ge=0, le=1)
    """The lowest ratio that passes; 1 is that of groups that are treated alike."""
    max: float | None = Field(default=None, ge=0, le=1)
    """The highest difference that passes; 0 is that of groups that are treated alike."""


class Fairness(Section):
    """Limits of how differently groups of test rows are treated, one group for each value of a column.

    Needs the extra `fairness`, and `positive`, the class that counts.
    """

    columns: ListOf[Text] = Field(min_length=1, examples=[["sex"]])
    """Features whose values make the groups, each column by itself."""
    require: dict[str, FairnessLimit] = Field(
        min_length=1, examples=[{"equalized_odds_difference": {"max": 0.1}}]
    )
    """Limits of fairlearn's measures, by its names."""
    min_rows: int = Field(default=30, ge=1)
    """Groups of fewer test rows are left out."""

    @rule
    def _installed(self) -> Broken:
        if find_spec("fairlearn") is None:
            yield PydanticCustomError(
                "not_installed",
                "`fairness` needs the extra `fairness`: {how}",
                {"how": _HOW_TO_INSTALL},
            )

    @rule
    def _measures_are_known(self) -> Broken:
        for name, limit in self.require.items():
            at = ("require", name)
            if name not in MEASURES:
                yield PydanticCustomError(
                    "metric",
                    "{name} is no measure of fairness",
                    {
                        "name": repr(name),
                        "advice": did_you_mean(name, MEASURES, f"write one of {one_of(MEASURES)}"),
                        "at": at,
                        "on_key": True,
                    },
                )
                continue
            bound = MEASURES[name]
            other = "min" if bound == "max" else "max"
            if getattr(limit, other) is not None:
                better = "less" if bound == "max" else "more"
                yield PydanticCustomError(
                    "bounds",
                    "of `{name}` {better} is better, and `{other}` would refuse good models",
                    {
                        "name": name,
                        "better": better,
                        "other": other,
                        "advice": f"write `{bound}`",
                        "at": (*at, other),
                        "on_key": True,
                    },
                )
            elif getattr(limit, bound) is None:
                yield PydanticCustomError(
                    "bounds",
                    "`{name}` needs `{bound}`",
                    {"name": name, "bound": bound, "at": at},
                )


@dataclass(frozen=True)
class Measured:
    """How differently the groups of a column are treated, by one measure."""

    name: str
    column: str
    value: float | None
    why: str | None = None
    """Why there is no value."""


def measured(
    fairness: Fairness,
    features: "pd.DataFrame",
    target: "NDArray[Any]",
    predicted: "NDArray[Any]",
    positive: "Class",
) -> Iterator[Measured]:
    """Each measure of each column.

    Args:
        fairness: What is measured.
        features: The test rows.
        target: Their true classes.
        predicted: The classes that a model says.
        positive: The class that counts.

    Raises:
        TerminalError: fairlearn is not installed.
    """
    if find_spec("fairlearn") is None:
        raise TerminalError(f"`promotion.fairness` needs fairlearn: {_HOW_TO_INSTALL}")
    from fairlearn import metrics

    for column in fairness.columns:
        # A null is a group too, and fairlearn takes none.
        groups = features[column].astype("string").fillna("null")
        is_large = (groups.map(groups.value_counts()) >= fairness.min_rows).to_numpy()
        groups = groups[is_large]
        truth, said = (target == positive)[is_large], (predicted == positive)[is_large]
        for name in fairness.require:
            if groups.nunique() < 2:
                why = f"{column!r} has fewer than two groups of {fairness.min_rows} rows"
                yield Measured(name, column, None, why)
                continue
            value = float(getattr(metrics, name)(truth, said, sensitive_features=groups))
            if math.isfinite(value):
                yield Measured(name, column, value)
            else:
                yield Measured(name, column, None, f"it is {value} for these rows")
