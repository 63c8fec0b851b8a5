"""Guards that look at rows and at how they were divided."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from factory.base.errors import TerminalError
from factory.base.section import Section
from factory.base.texts import one_of
from factory.training.division import Part
from factory.training.guard.finding import Action, Guard, GuardFinding

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_NAMED = 5
"""Classes that a message names."""
_SURE = 0.001
"""Below which probability something is no chance."""
_NO_VALUE = frozenset({"", "na", "n/a", "#n/a", "nan", "null", "?", "-", "--", "."})
"""Texts that in other tables stand for no value."""


@dataclass(frozen=True, eq=False)
class DividedParts:
    """What the parts of the rows are made of: one entry a part, one value a row."""

    target: "Mapping[Part, NDArray[Any]] | None"
    """None where rows have none; rows x targets where they have several."""
    features: "Mapping[Part, NDArray[np.uint64]]"
    """A hash of the features."""
    has_classes: bool
    least_learned: int | None = None
    """How many rows the fold learns from that has fewest; None without folds."""
    targets: tuple[str, ...] = ()
    """The names of the targets."""
    learns_target: bool = True
    """Whether the target is learned, and not only compared with."""
    by_chance: bool = False
    """Whether chance decides on the part of a row, so that rows with the same features can be kept together."""


class RowsGuard(Guard):
    """A guard that looks at the parts of the rows, once they are divided."""

    of_series: ClassVar[bool] = True
    """Whether it looks at series too, whose parts lie one after the other in time."""

    @abstractmethod
    def look(self, parts: DividedParts) -> Iterator[GuardFinding]:
        """What it finds about them."""


class MinRows(RowsGuard):
    """So few rows that a score is chance."""

    NAME: ClassVar[str] = "min_rows"

    action: Action = "halt"
    train: int = Field(default=30, ge=1)
    """The least number of rows to train on."""
    test: int = Field(default=10, ge=1)
    """The least number of rows to test on."""

    def look(self, parts: DividedParts) -> Iterator[GuardFinding]:
        """A finding where a part is too small."""
        rows = {"train": len(parts.features["train"]), "test": len(parts.features["test"])}
        names = {"train": "train rows", "test": "test rows"}
        if parts.least_learned is not None:
            rows["train"], names["train"] = parts.least_learned, "rows that a fold learns from"
        limits = {"train": self.train, "test": self.test}
        few = [
            f"{rows[part]} {names[part]} (at least {least})"
            for part, least in limits.items()
            if rows[part] < least
        ]
        if few:
            yield self.found(
                f"there are only {' and '.join(few)}, so that a score is chance: bring more, or "
                "write the numbers that will do, `min_rows: {train: 20, test: 5}` say"
            )


class Duplicates(RowsGuard):
    """Rows with the same features in training and test: a model that learns by heart is rewarded."""

    NAME: ClassVar[str] = "duplicates"

    share: float = Field(default=0.01, ge=0, lt=1)
    """Of the test rows, from which on."""

    def look(self, parts: DividedParts) -> Iterator[GuardFinding]:
        """A finding where too many test rows are training rows too."""
        import numpy as np

        test = parts.features["test"]
        known = int(np.isin(test, parts.features["train"]).sum())
        if known > self.share * len(test):
            together = "keep them together with `split: {duplicates: together}`, or "
            yield self.found(
                f"{known} of {len(test)} test rows ({known / len(test):.1%}) have the same features as a "
                f"training row: {together if parts.by_chance else ''}take repeated rows out in a transform"
            )


class TargetDrift(RowsGuard):
    """A target that is distributed otherwise in the test rows than in the training rows."""

    NAME: ClassVar[str] = "target_drift"
    of_series: ClassVar[bool] = False
    """Trend and season make each part another one."""

    distance: float = Field(default=0.1, gt=0, lt=1)
    """From which on: total variation of classes, the Kolmogorov-Smirnov statistic of numbers. What
    may be chance (p of 0.001 or more) is no finding."""

    def look(self, parts: DividedParts) -> Iterator[GuardFinding]:
        """A finding where the two differ, more than by chance; of several targets one each."""
        if parts.target is None:
            return
        train, test = parts.target["train"], parts.target["test"]
        if train.ndim == 1:
            yield from self._look("the target", train, test, parts)
            return
        for place, name in enumerate(parts.targets):
            yield from self._look(repr(name), train[:, place], test[:, place], parts)

    def _look(
        self, what: str, train: "NDArray[Any]", test: "NDArray[Any]", parts: DividedParts
    ) -> Iterator[GuardFinding]:
        distance, p = (_classes_apart if parts.has_classes else _numbers_apart)(train, test)
        if distance >= self.distance and p < _SURE:
            yield self.found(
                f"{what} of the {len(test)} test rows is distributed otherwise than that of the "
                f"{len(train)} training rows (distance {distance:.2f}): {_in_words(train, test, parts)}"
            )


class AbsentClasses(RowsGuard):
    """A class that is in no test row, so that the score says nothing of it, or in no training row."""

    NAME: ClassVar[str] = "absent_classes"

    rows: int = Field(default=3, ge=1)
    """Of how many rows at least; below, `rare_classes` speaks of it."""

    def look(self, parts: DividedParts) -> Iterator[GuardFinding]:
        """A finding for the classes of each part that lacks some."""
        import numpy as np

        if not parts.has_classes or parts.target is None or parts.target["train"].ndim > 1:
            return
        labels, counts = np.unique(np.concatenate(list(parts.target.values())), return_counts=True)
        known = labels[counts >= self.rows]
        lacks = {
            part: known[~np.isin(known, parts.target[part])]
            for part in ("train", "test")
            if part in parts.target
        }
        advice = "take a larger `test`, bring more rows, or write `split: {method: stratified}` where rows may be mixed"
        if len(lacks["test"]):
            yield self.found(
                f"no test row is {one_of(lacks['test'], _NAMED)}, so that a score says nothing of that: {advice}"
            )
        if len(lacks["train"]) and parts.learns_target:
            yield self.found(
                f"no training row is {one_of(lacks['train'], _NAMED)}, so that no row is ever predicted to be that: {advice}"
            )


def _classes_apart(train: "NDArray[Any]", test: "NDArray[Any]") -> tuple[float, float]:
    import numpy as np
    from scipy.stats import chi2_contingency

    labels, codes = np.unique(np.concatenate([train, test]), return_inverse=True)
    counts = np.array(
        [np.bincount(each, minlength=len(labels)) for each in np.split(codes, [len(train)])]
    )
    if len(labels) < 2:
        return 0.0, 1.0
    shares = counts / counts.sum(axis=1, keepdims=True)
    return float(np.abs(shares[0] - shares[1]).sum() / 2), float(chi2_contingency(counts).pvalue)


def _numbers_apart(train: "NDArray[Any]", test: "NDArray[Any]") -> tuple[float, float]:
    from scipy.stats import ks_2samp

    found = ks_2samp(train, test)
    return float(found.statistic), float(found.pvalue)


def _in_words(train: "NDArray[Any]", test: "NDArray[Any]", parts: DividedParts) -> str:
    import numpy as np

    if not parts.has_classes:
        return f"median {np.median(test):.4g} instead of {np.median(train):.4g}"
    labels = np.unique(np.concatenate([train, test]))
    shares = [(float((test == each).mean()), float((train == each).mean())) for each in labels]
    at = int(np.argmax([abs(one - other) for one, other in shares]))
    return f"{shares[at][0]:.1%} are {labels[at]!s} instead of {shares[at][1]:.1%}"


class RareClasses(Section):
    """What becomes of classes with so few rows that they cannot be in every part."""

    action: Literal["train", "drop", "fail"] = "fail"
    """`train`: their rows are for training only. `drop`: they are left out. `fail`: the run ends."""
    rows: int = Field(default=3, ge=3)
    """Below how many rows a class is rare. With folds it is below one row for the test and one for each fold,
    where that is more."""

    def found(self, labels: "NDArray[Any]", counts: "NDArray[Any]", least: int) -> GuardFinding:
        """The finding about the rare ones among some classes.

        Args:
            labels: The classes.
            counts: How many rows there are of each.
            least: Below how many rows a class is rare: `rows`, or more where folds need more.

        Raises:
            TerminalError: The run is to end.
        """
        rare = [
            f"{label!s} ({count})"
            for label, count in zip(labels, counts, strict=True)
            if count < least
        ]
        named = one_of(rare, 10)
        if self.action == "fail":
            raise TerminalError(
                f"target: {least} rows of each class are needed to divide them, and there are fewer of "
                f"{named}: write `guard: {{rare_classes: drop}}` to leave them out, `rare_classes: "
                "train` to have them in training only, or group them in a transform"
            )
        done = "are left out" if self.action == "drop" else "are in training only"
        return GuardFinding(
            guard="rare_classes",
            action="warn",
            text=f"classes of fewer than {least} rows {done}: {named}",
        )


class MissingClass(Section):
    """A class whose name usually stands for no value, such as NA."""

    action: Literal["fail", "warn", "off"] = "fail"
    """`fail` asks: the run ends until somebody has said what it is."""

    def look(self, target: str, labels: Mapping[str, int]) -> GuardFinding | None:
        """A finding if there is such a class.

        Args:
            target: The target's name.
            labels: The rows of each class.

        Raises:
            TerminalError: There is, and somebody has to say what it means.
        """
        found = {name: rows for name, rows in labels.items() if name.strip().lower() in _NO_VALUE}
        if self.action == "off" or not found:
            return None
        named = " and ".join(f"{rows} rows say {name!r}" for name, rows in found.items())
        first = next(iter(found))
        text = (
            f"{named} as {target!r}, which often stands for no value: if so, write null in a transform "
            f"(`nullif({target}, '{first}')`); if it is a class, write `guard: {{missing_class: off}}`"
        )
        if self.action == "fail":
            raise TerminalError(f"target: {text}")
        return GuardFinding(guard="missing_class", action="warn", text=text)
