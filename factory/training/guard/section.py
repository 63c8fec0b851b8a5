"""`guard`: what is looked for before a version may go live."""

from typing import Annotated

from pydantic import BeforeValidator

from factory.base.section import AddedLater, NotTrained, Section, also_written
from factory.training.guard.features import FreeText, Identifiers, Leakage
from factory.training.guard.finding import Short, read_short
from factory.training.guard.known_rows import ChampionOverlap
from factory.training.guard.rows import (
    Duplicates,
    MinRows,
    MissingClass,
    RareClasses,
    TargetDrift,
)
from factory.training.guard.scores import ConstantPrediction, WorseThanBaseline

_IsRead = NotTrained(is_read=True)
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

    leakage: Annotated[Short[Leakage], _IsRead] = Leakage()
    """`halt`: a feature that alone tells the target almost perfectly."""
    identifiers: Annotated[Short[Identifiers], _IsRead] = Identifiers()
    """`warn`: a feature whose values nearly all differ."""
    free_text: Annotated[Short[FreeText], _IsRead] = FreeText()
    """`warn`: sentences that the default preprocessing takes for categories."""
    min_rows: Annotated[Short[MinRows], _IsRead] = MinRows()
    """`halt`: fewer than 30 training rows, or 10 test rows."""
    duplicates: Annotated[Short[Duplicates], _IsRead] = Duplicates()
    """`warn`: rows with the same features in training and test."""
    target_drift: Annotated[Short[TargetDrift], _IsRead] = TargetDrift()
    """`warn`: a target that is distributed otherwise in the test rows."""
    constant_prediction: Annotated[Short[ConstantPrediction], _IsRead] = ConstantPrediction()
    """`halt`: a model that says the same of every row."""
    worse_than_baseline: Annotated[Short[WorseThanBaseline], _IsRead] = WorseThanBaseline()
    """`halt`: a model that is no better than one that looks at no feature."""
    champion_overlap: Annotated[Short[ChampionOverlap], _IsRead] = ChampionOverlap()
    """`warn`: test rows that the champion has learned from."""
    rare_classes: Annotated[_RareClasses, AddedLater()] = RareClasses()
    """`train`, `drop` or `fail` (as it is): classes of fewer than 3 rows, which cannot be in every part."""
    missing_class: Annotated[_MissingClass, _IsRead] = MissingClass()
    """`fail`, `warn` or `off`: a class that is called NA, say."""
