"""How a dataset's contract changes, and whom that breaks."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from factory.base.texts import one_of
from factory.base.wider_types import widens
from factory.catalog.column_use import Reader, readers
from factory.catalog.contract import Contract, columns_of, contract_of
from factory.catalog.linking import Catalog
from factory.data.checks.check import Check

_SHOWN = 8


@dataclass(frozen=True)
class ContractChange:
    """One thing that is promised otherwise."""

    dataset: str
    text: str
    breaks: tuple[str, ...] = ()
    """Whom it breaks, as far as can be known: full names, with the columns that they use behind them."""

    @property
    def is_breaking(self) -> bool:
        """Whether it breaks a reader."""
        return bool(self.breaks)


def contract_changes(
    before: Catalog, now: Catalog, datasets: Collection[str], project: Path
) -> tuple[ContractChange, ...]:
    """What changes in the contracts of datasets, what breaks readers first.

    Args:
        before: All teams as they were.
        now: All teams as they are. Who reads a dataset is looked up here.
        datasets: Full names of datasets that were there before.
        project: The project's folder, which keeps answers.
    """
    columns_before = columns_of(before, datasets, project)
    columns_now = columns_of(now, [name for name in datasets if name in now.datasets], project)
    found: list[ContractChange] = []
    for name in datasets:
        was = contract_of(before, name, columns_before[name])
        is_now = contract_of(now, name, columns_now[name]) if name in now.datasets else None
        found += _Comparison(was, is_now, now, project).changes()
    return tuple(sorted(found, key=lambda one: not one.is_breaking))


@dataclass(frozen=True)
class _Comparison:
    was: Contract
    is_now: Contract | None
    catalog: Catalog
    project: Path

    def changes(self) -> Iterator[ContractChange]:
        if self.is_now is None:
            # Whose file cannot be read now may publish it all the same.
            if self.was.dataset.partition(".")[0] not in self.catalog.unreadable:
                yield self._change("the dataset is gone", ())
            return
        yield from self._of_columns(self.is_now)
        yield from self._of_checks(self.is_now)
        yield from self._of_sharing(self.is_now)

    def _change(self, text: str, columns: Collection[str]) -> ContractChange:
        """A change that breaks the readers of some columns; of any, where none is named."""
        known = self.was.columns
        asked = [name for name in columns if known is None or name in known]
        found = readers(self.catalog, self.was.dataset, known, asked, self.project)
        breaks = tuple(_named(one, asked) for one in found if one.may_use(columns))
        return ContractChange(self.was.dataset, text, breaks)

    def _harmless(self, text: str) -> ContractChange:
        return ContractChange(self.was.dataset, text)

    def _of_columns(self, now: Contract) -> Iterator[ContractChange]:
        before, after = self.was.columns, now.columns
        if before is None:
            if after is not None:
                yield self._harmless(f"the columns are promised now: {one_of(after, _SHOWN)}")
            return
        if after is None:
            text = "only a run tells the columns now"
            yield self._change(text, ()) if self.was.is_declared else self._harmless(text)
            return
        for name, kind in before.items():
            if name not in after:
                yield self._change(f"the column `{name}` is gone", (name,))
                continue
            wanted = after[name]
            if wanted == kind or wanted is None or kind is None:
                continue
            text = f"the column `{name}` is {wanted}, and was {kind}"
            is_wider = widens(kind, wanted)
            yield (
                self._harmless(f"{text}, which is wider")
                if is_wider
                else self._change(text, (name,))
            )
        for name in after:
            if name not in before:
                yield self._harmless(f"the column `{name}` is new")

    def _of_checks(self, now: Contract) -> Iterator[ContractChange]:
        before, after = (_that_halt(one) for one in (self.was, now))
        for check in before:
            columns = tuple(check.written_columns().values())
            if now.columns is not None and not set(columns) <= set(now.columns):
                continue  # said of the column
            if not any(one.implies(check) for one in after):
                warned = any(one.implies(check) for one in now.checks)
                how = "only warns now" if warned else _how_loosened(check, after)
                yield self._change(f"{check.describe()} {how}", columns)
        for check in after:
            if not any(one.implies(check) for one in before):
                yield self._harmless(f"{check.describe()} is checked now")

    def _of_sharing(self, now: Contract) -> Iterator[ContractChange]:
        own = self.was.dataset.partition(".")[0]
        teams = {own, *self.catalog.teams}
        lost = [
            name for name in sorted(teams) if _may_read(self.was, name) and not _may_read(now, name)
        ]
        found = readers(self.catalog, self.was.dataset, None, (), self.project)
        breaks = tuple(one.name for one in found if one.team in lost)
        if lost:
            text = f"it is no longer shared with {one_of(lost, _SHOWN)}"
            yield ContractChange(self.was.dataset, text, breaks)


def _named(reader: Reader, columns: Collection[str]) -> str:
    if uses := [name for name in columns if name in reader.uses]:
        return f"{reader.name} (uses {one_of(uses)})"
    if unknown := [name for name in columns if name in reader.unknown]:
        return f"{reader.name} (may use {one_of(unknown)})"
    return reader.name


def _may_read(contract: Contract, team: str) -> bool:
    own = contract.dataset.partition(".")[0]
    return team == own or contract.share_with == "*" or team in contract.share_with


def _that_halt(contract: Contract) -> list[Check]:
    """The checks without which nothing is published: what readers can rely on."""
    return [part for check in contract.checks if check.on_fail == "halt" for part in check.parts()]


def _how_loosened(check: Check, after: Collection[Check]) -> str:
    for one in after:
        same = one.written_columns() == check.written_columns()
        if one.check == check.check and same:
            return f"is loosened to {one.describe()}"
    return "is no longer checked"
