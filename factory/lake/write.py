"""`write`: how new rows meet the published ones."""

from typing import Literal

from pydantic import model_validator
from pydantic_core import PydanticCustomError

from factory.base.section import ListOf, Section, Text


class Write(Section):
    """How new rows meet the published ones.

    `replace` publishes the new rows alone, `append` adds them, `merge` updates rows with the
    same `keys` and adds the others.
    """

    mode: Literal["replace", "append", "merge"] = "replace"
    keys: ListOf[Text] = ()
    allow_empty: bool = False
    """Whether no rows at all are published too; else consumers hear nothing of them."""

    @model_validator(mode="after")
    def _keys_for_merge(self) -> "Write":
        if (self.mode == "merge") != bool(self.keys):
            raise PydanticCustomError(
                "write",
                "`keys` are missing: name the columns that identify a row"
                if self.mode == "merge"
                else "`keys` belong to `mode: merge` only",
            )
        return self
