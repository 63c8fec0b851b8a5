"""`write`: how new rows meet the published ones."""

from typing import Literal

from pydantic_core import PydanticCustomError

from factory.base.rules import Broken, rule
from factory.base.section import ListOf, Section, Text


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

    @rule
    def _keys_for_merge(self) -> Broken:
        if (self.mode == "merge") != bool(self.keys):
            yield PydanticCustomError(
                "write",
                "`keys` are missing: name the columns that identify a row"
                if self.mode == "merge"
                else "`keys` belong to `mode: merge` only",
            )
