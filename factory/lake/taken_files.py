"""Which files of a source a dataset's snapshots have taken: kept in the commits that published their rows.

Each commit names the files that it has taken itself, and the snapshot that it was built upon; so publishing stays one
step, and a restored snapshot knows what it knew. Once in a while one commit names all, so that few are read.
"""

import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from factory.lake.snapshot import SourceOvertakenError
from factory.lake.table import Lake

_BYTES = 8
"""Of each digest. A new file is passed over unknown only if two of its digests are those of another file."""
_MARK = 3 * _BYTES
_MOST_COMMITS = 50
"""After so many that name only their own files, one names all."""


@dataclass(frozen=True)
class SourceFile:
    """A file as it is now."""

    name: str
    """Its path or address; the same file has the same name in each run."""
    stamp: str
    """What is known without reading it, such as size and time; while it stays, the content is taken to be the same."""
    content: Callable[[], str]
    """The digest of its content, or what stands for it in an object store."""

    def mark(self) -> bytes:
        """What is remembered of it."""
        return _digest(self.name) + _digest(self.stamp) + _digest(self.content())


@dataclass(frozen=True)
class TakenFiles:
    """The files that a snapshot, and those before it, have taken."""

    marks: Mapping[bytes, bytes] = field(default_factory=dict)
    """By the digest of a file's name, those of its stamp and its content."""
    commits: int = 0
    """How many commits were read to know them."""

    @classmethod
    def of(cls, lake: Lake, dataset: str, version: int) -> Self | None:
        """Those that a snapshot knows; None where it does not say.

        Args:
            lake: Where it lies.
            dataset: The full name, `team.dataset`.
            version: The snapshot's version.
        """
        found: dict[bytes, bytes] = {}
        commits, before = 0, version
        while True:
            note = lake.published(dataset, before)[1].get("incremental") or {}
            if "files" not in note:
                return None
            commits += 1
            # The newest mark of a file counts.
            found = {**_marks(base64.b64decode(note["files"])), **found}
            if note["all"]:
                return cls(found, commits)
            before = note["after"]

    def __contains__(self, file: SourceFile) -> bool:
        """Whether the file was taken, with the content that it has now."""
        known = self.marks.get(_digest(file.name))
        if known is None:
            return False
        if known[:_BYTES] == _digest(file.stamp):
            return True
        return known[_BYTES:] == _digest(file.content())

    def has_name(self, file: SourceFile) -> bool:
        """Whether the file was taken, whatever its content is now."""
        return _digest(file.name) in self.marks

    def note(self, new: Sequence[SourceFile], after: int) -> dict[str, Any]:
        """What the commit of further files says, as JSON.

        Args:
            new: The further files.
            after: The version of the snapshot that the commit is built upon.
        """
        marks = b"".join(file.mark() for file in new)
        if is_all := self.commits >= _MOST_COMMITS:
            known = {**self.marks, **_marks(marks)}
            marks = b"".join(name + rest for name, rest in known.items())
        return {"after": after, "all": is_all, "files": base64.b64encode(marks).decode()}


def first_note(files: Sequence[SourceFile]) -> dict[str, Any]:
    """What the first commit says, as JSON: these files and no others were taken."""
    marks = b"".join(file.mark() for file in files)
    return {"after": None, "all": True, "files": base64.b64encode(marks).decode()}


def check_after(
    dataset: str, run_id: str, after: int | None, newest: int | None, note: Mapping[str, Any]
) -> None:
    """Check that a run's rows are new to the snapshot that they are about to be added to.

    Args:
        dataset: The full name, `team.dataset`.
        run_id: The run.
        after: The version that was the newest when its source was read; None if there was none.
        newest: The newest version now; None if there is none.
        note: What the newest commit says.

    Raises:
        SourceOvertakenError: They were read before another version was published.
    """
    if note.get("run_id") == run_id:
        newest = note.get("incremental", {}).get("after", newest)
    if newest != after:
        now = "nothing is published" if newest is None else f"version {newest} is the newest"
        known = "an empty dataset" if after is None else f"version {after}"
        raise SourceOvertakenError(
            f"{dataset}: the rows are new to {known}, and by now {now}, since another run has published, or somebody has "
            "restored a version: run it again"
        )


def _marks(content: bytes) -> dict[bytes, bytes]:
    starts = range(0, len(content), _MARK)
    return {content[at : at + _BYTES]: content[at + _BYTES : at + _MARK] for at in starts}


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode(errors="surrogateescape")).digest()[:_BYTES]
