"""Where a source may read files: below the folders that the platform names, and nowhere else."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from factory.base.errors import TerminalError
from factory.base.files import is_hidden
from factory.base.section import DATA_FOLDERS, KEPT_OUT
from factory.base.texts import one_of
from factory.lake.storage import address as storage


class FileOutsideError(TerminalError):
    """A file that a source may not read, whatever leads to it."""


@dataclass(frozen=True)
class DataFolders:
    """The folders below which a project's sources may read."""

    project: Path
    """The folder that paths in team files start from, and errors name files relative to."""
    folders: tuple[str, ...] = DATA_FOLDERS
    """Below the project's folder; `.` is all of it but for what is kept out."""
    kept_out: tuple[Path, ...] = ()
    """Folders that are never read as files, wherever they lie: the lake, workspaces, team files."""

    @classmethod
    def of(cls, project: Path, folders: Iterable[str], *, lake: str, workspace: Path | str) -> Self:
        """The folders of a project whose lake has this address, and whose runs work below `workspace`."""
        local = storage.local_path(lake)
        kept_out = (*((local,) if local else ()), Path(workspace), *map(project.joinpath, KEPT_OUT))
        return cls(project, tuple(folders), tuple(folder.resolve() for folder in kept_out))

    def check(self, file: Path) -> None:
        """Check that a file, once every link is followed, is one that sources may read.

        Raises:
            FileOutsideError: It is not; names the file as it was found, and what to do.
        """
        found = file.resolve()
        allowed = any(
            found.is_relative_to(folder) and not is_hidden(found.relative_to(folder))
            for folder in (self.project.joinpath(name).resolve() for name in self.folders)
        )
        if allowed and not any(found.is_relative_to(folder) for folder in self.kept_out):
            return
        link = " is a link that" if file.is_symlink() or found != file.absolute() else ""
        raise FileOutsideError(
            f"{self.relative(file)}{link} leads outside {one_of(self.folders)}, the folders that "
            "sources may read, or to what is hidden or kept by the platform: copy the file below one "
            "of these folders"
        )

    def relative(self, file: Path) -> str:
        """A file as errors name it."""
        for root in (self.project, self.project.resolve()):
            if file.is_relative_to(root):
                return str(file.relative_to(root))
        return str(file)
