"""Files of a source that no snapshot has, for `incremental: {by: file}`."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from factory.base.errors import NothingToDoError, TerminalError

if TYPE_CHECKING:
    from factory.lake.taken_files import SourceFile, TakenFiles

log = logging.getLogger(__name__)

_SHOWN = 3


class ChangedFileError(TerminalError):
    """A file whose content is not the one that was taken."""


@dataclass
class NewFiles:
    """Chooses, among the files of a source, those that no snapshot has."""

    taken: "TakenFiles | None"
    """None where nothing was taken yet."""
    takes_changed_ones: bool
    """Whether a file whose content has changed is read again: its rows then replace those with the same keys."""
    chosen: "list[SourceFile]" = field(default_factory=list)
    """The files that were chosen last."""

    def choose(self, found: "Iterable[SourceFile]") -> set[str]:
        """The names of the new files.

        Raises:
            NothingToDoError: There is none.
            ChangedFileError: One that was taken has changed.
        """
        files = list(found)
        taken = self.taken
        self.chosen = files if taken is None else [file for file in files if file not in taken]
        changed = [file.name for file in self.chosen if taken is not None and taken.has_name(file)]
        if changed and not self.takes_changed_ones:
            more = f" and {len(changed) - _SHOWN} more" if len(changed) > _SHOWN else ""
            one = len(changed) == 1
            raise ChangedFileError(
                f"{', '.join(changed[:_SHOWN])}{more}: {'this file has' if one else 'these files have'} been read by an "
                "earlier run, and the content is another one now; to append it once more would leave its rows twice. Put "
                "new rows into a file of a new name; or write `mode: merge` with `keys`, which takes changed files again; "
                "or start one run with the param `full_refresh`, which publishes the rows of all files in place of the "
                "published ones"
            )
        if not self.chosen:
            raise NothingToDoError(
                f"there is no new file: all {len(files):,} that `source` names have been read by earlier runs"
                if len(files) > 1
                else f"there is no new file: {files[0].name} has been read by an earlier run"
            )
        log.info("%s of %s files are new", f"{len(self.chosen):,}", f"{len(files):,}")
        return {file.name for file in self.chosen}
