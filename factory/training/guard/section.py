"""`guard`: what is looked for before a version may go live."""

from typing import Annotated

from pydantic import BeforeValidator

from factory.base.section import AddedLater, NotTrained, Section, also_written
from factory.training.guard.features import FreeText, Identifiers, Leakage
from factory.training.guard.finding import Short, read_short
from factory.training.guard.known_rows import ChampionOverlap
from factory.training.guard.rows import (
    AbsentClasses,
    Duplicates,
    MinRows,
    MissingClass,
    RareClasses,
    TargetDrift,
)
from factory.training.guard.scores import ConstantPrediction, WorseThanBaseline

_RareClasses = Annotated[
    RareClasses, BeforeValidator(read_short), also_written({"enum": ["train", "drop", "fail"]})
]
_MissingClass = Annotated[
    MissingClass,
    BeforeValidator(read_short),
    also_written({"enum": ["fail", "warn", "off", False]}),
]


class Guards(Section):
    """What makes a score unbelievable. Each guard is `halt` (the version does not go live), `warn` or `off`."""

    leakage: Short[Leakage] = Leakage.unwritten()
    """`halt`: a feature that alone tells the target almost perfectly."""
    identifiers: Short[Identifiers] = Identifiers.unwritten()
    """`warn`: a feature whose values nearly all differ."""
    free_text: Short[FreeText] = FreeText.unwritten()
    """`warn`: sentences that the default preprocessing takes for categories."""
    min_rows: Short[MinRows] = MinRows.unwritten()
    """`halt`: fewer than 30 training rows, or 10 test rows."""
    duplicates: Short[Duplicates] = Duplicates.unwritten()
    """`warn`: rows with the same features in training and test."""
    target_drift: Short[TargetDrift] = TargetDrift.unwritten()
    """`warn`: a target that is distributed otherwise in the test rows."""
    constant_prediction: Short[ConstantPrediction] = ConstantPrediction.unwritten()
    """`halt`: a model that says the same of every row."""
    worse_than_baseline: Short[WorseThanBaseline] = WorseThanBaseline.unwritten()
    """`halt`: a model that is no better than one that looks at no feature."""
    champion_overlap: Short[ChampionOverlap] = ChampionOverlap.unwritten()
    """`warn`: test rows that the champion has learned from."""
    rare_classes: Annotated[_RareClasses, AddedLater()] = RareClasses.unwritten()
    """`train`, `drop` or `fail` (as it is): classes of fewer than 3 rows, which cannot be in every part."""
    absent_classes: Short[AbsentClasses] = AbsentClasses.unwritten()
    """`warn`: a class that no test row, or no training row, has."""
    missing_class: Annotated[_MissingClass, NotTrained(is_read=True)] = MissingClass.unwritten()
    """`fail`, `warn` or `off`: a class that is called NA, say."""
