"""`datasets`: what a team publishes."""

from typing import Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from factory.config.base import ListOf, Name, Reference, Section, Text
from factory.config.checks import Check
from factory.config.schedule import Schedule, ScheduleField
from factory.config.sources import DatasetSource, Source
from factory.config.transforms import Transform


class Write(Section):
    """How new rows meet the published ones.

    `replace` publishes the new rows alone, `append` adds them, `merge` updates rows with the
    same `keys` and adds the others.
    """

    mode: Literal["replace", "append", "merge"] = "replace"
    keys: ListOf[Text] = ()

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


class Dataset(Section):
    """One versioned table that the team publishes; one producer DAG `<team>.<dataset>`."""

    description: str = ""
    schedule: ScheduleField | None = None
    source: Source
    reads: ListOf[Reference] = ()
    """Further datasets that SQL transforms read, as tables `team.dataset`."""
    transforms: ListOf[Transform] = ()
    columns: dict[str, Text] | None = Field(default=None, min_length=1)
    """The promised schema, column to DuckDB type; checked before publishing."""
    checks: ListOf[Check] = ()
    write: Write = Write()
    share_with: ListOf[Name] | Literal["*"] = ()
    """Teams that may read it; `"*"` is every team."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """The datasets that it reads, as written: its source first, without repetition."""
        first = (self.source.dataset,) if isinstance(self.source, DatasetSource) else ()
        return tuple(dict.fromkeys((*first, *self.reads)))

    @property
    def when(self) -> Schedule:
        """Its schedule; without one, a dataset runs when what it reads changes, else by hand."""
        if self.schedule is not None:
            return self.schedule
        return Schedule(all=self.inputs)
