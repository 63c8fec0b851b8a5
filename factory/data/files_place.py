"""Where a source takes files whole, such as images and documents, and which of them a run takes."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from factory.base.errors import NothingToDoError
from factory.data.found_files import (
    FileLimits,
    Found,
    Taken,
    in_project,
    in_store,
    listed_in_project,
    listed_in_store,
)
from factory.data.sources.object_stores import NoMatchError, check_lake

if TYPE_CHECKING:
    from factory.data.sources.source import IngestContext
    from factory.lake.taken_files import SourceFile


@dataclass(frozen=True)
class FilesPlace:
    """Files below the project's folder or in an object store, and archives of them."""

    limits: FileLimits
    """How much may come in."""
    wanted: Callable[[str], bool]
    """Says of a file's path whether it is taken."""
    what: str
    """What the files are called in errors: `image`, `document`."""
    advice: str
    """What to do where not one file is wanted."""
    path: str | None = None
    """A folder, a glob or archives, from the project's folder."""
    prefix: str | None = None
    """The address of a folder or of an archive in an object store, where there is no `path`."""

    def found(self, context: "IngestContext") -> Iterator[Found]:
        """The files, one after the other; with `incremental: {by: file}` the new ones.

        Raises:
            NoMatchError: There is none at all, where new ones are looked for.
            NothingToDoError: There is no new one.
            TerminalError: There is none, they cannot be used as they are, or they break the limits.
            FactoryError: An object store does not answer.
        """
        chosen = None if context.new_files is None else self._chosen(context)
        return self.counted(self._found(context, chosen))

    def counted(self, found: Iterator[Found]) -> Iterator[Found]:
        """The files that are wanted of some, within the limits.

        Raises:
            UnusableFilesError: There is none, or a limit is broken.
        """
        taken = Taken(self.limits, self.wanted, self.what, self.advice)
        yield from taken.of(found)
        taken.finish()

    def missing(self, context: "IngestContext") -> str:
        """Why there is nothing to take yet; empty where there is something. No file is read."""
        try:
            self._chosen(context)
        except (NoMatchError, NothingToDoError) as error:
            return str(error)
        return ""

    def _found(self, context: "IngestContext", chosen: Collection[str] | None) -> Iterator[Found]:
        if self.path is not None:
            yield from in_project(self.limits, context.folders, self.path, chosen)
        elif self.prefix is not None:
            check_lake(self.prefix, context.lake.storage)
            yield from in_store(self.limits, self.prefix, context.workspace, self.wanted, chosen)

    def _chosen(self, context: "IngestContext") -> Collection[str]:
        """The names of the files and archives that a run takes."""
        listed = self._listed(context)
        if not listed:
            place = self.path or self.prefix
            raise NoMatchError(f"there is no {self.what} at {place!r}. {self.advice}")
        if context.new_files is None:
            return {file.name for file in listed}
        return context.new_files.choose(listed)

    def _listed(self, context: "IngestContext") -> "list[SourceFile]":
        if self.path is not None:
            return listed_in_project(context.folders, self.path, self.wanted)
        assert self.prefix is not None  # noqa: S101 - one of them is there
        check_lake(self.prefix, context.lake.storage)
        return listed_in_store(self.prefix, self.wanted)
