"""`write`: how new rows meet the published ones."""

from typing import Literal

from pydantic_core import PydanticCustomError

from factory.base.rules import Broken, rule
from factory.base.section import ListOf, Section, Text

Evolve = Literal["none", "add", "widen"]
"""What may change from one snapshot to the next: nothing; new columns; or these, and wider types of numbers."""


class Write(Section):
    """How new rows meet the published ones.

    `replace` publishes the new rows alone, `append` adds them, `merge` updates rows with the
    same `keys` and adds the others.
    """

    mode: Literal["replace", "append", "merge"] = "replace"
    """`replace` publishes the new rows alone, `append` adds them, `merge` updates rows with the same `keys` and adds
    the others."""
    keys: ListOf[Text] = ()
    """The columns that identify a row; with `mode: merge`, and only then."""
    allow_empty: bool = False
    """Whether no rows at all are published too; else consumers hear nothing of them."""
    evolve: Evolve | None = None
    """What may differ from the last snapshot: nothing (`none`), new columns (`add`), or new columns and wider types of
    numbers (`widen`). When left out, `add` for `mode: replace`, and `none` for the others."""

    @rule
    def _keys_for_merge(self) -> Broken:
        if (self.mode == "merge") != bool(self.keys):
            yield PydanticCustomError(
                "write",
                "`keys` are missing: name the columns that identify a row"
                if self.mode == "merge"
                else "`keys` belong to `mode: merge` only",
            )

    def refreshed(self) -> "Write":
        """The same for a run that publishes all rows anew; keys still identify rows."""
        return self.model_copy(update={"mode": "replace"})

    def evolution(self, *, declared: bool = False, accepted: bool = False) -> Evolve | None:
        """What may differ from the last snapshot; None where that does not matter.

        Args:
            declared: Whether the columns are declared in the file, which then is the contract.
            accepted: Whether a person lets this run change them.
        """
        if self.mode == "replace" and accepted:
            return None
        if self.evolve is not None:
            return self.evolve
        if self.mode != "replace":
            return "none"
        return None if declared else "add"
