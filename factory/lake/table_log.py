"""The log of a Delta table as files: which versions it holds, what they say, and whether it is whole."""

import io
import json
import re
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from factory.lake.snapshot import DamagedSnapshotError
from factory.lake.storage.errors import NoFileError
from factory.lake.storage.files import Files

_COMMIT = re.compile(r"(\d{20})\.json")
_CHECKPOINT = re.compile(r"(\d{20})\.checkpoint.*\.parquet")


class TableLog:
    """The log of one table, read without Delta's library: also where that gives up."""

    def __init__(self, files: Files, dataset: str) -> None:
        """Read nothing yet.

        Args:
            files: The lake's files.
            dataset: The full name, `team.dataset`.
        """
        self._files = files
        self._dataset = dataset
        self.folder = f"{dataset.replace('.', '/')}/_delta_log"
        """Relative to the lake's address."""

    @cached_property
    def _names(self) -> tuple[str, ...]:
        names = self._files.names(f"{self.folder}/")
        return tuple(name.rpartition("/")[2] for name in names)

    def versions(self) -> list[int]:
        """The versions that have a commit or a checkpoint, the oldest first."""
        found = (_COMMIT.fullmatch(name) or _CHECKPOINT.fullmatch(name) for name in self._names)
        return sorted({int(match[1]) for match in found if match})

    def name_of(self, version: int) -> str:
        """A commit's file, relative to the lake's address."""
        return f"{self.folder}/{version:020d}.json"

    def actions(self, version: int) -> list[dict[str, Any]] | None:
        """What a commit says; None where there is none.

        Raises:
            DamagedSnapshotError: Its file is no commit.
        """
        try:
            # One connection for many small files, which deltalake would open anew for each.
            text = self._files.read(self.name_of(version))
        except NoFileError:
            return None
        try:
            found = [json.loads(line) for line in text.splitlines()]
        except ValueError:
            found = []
        if not found or not all(isinstance(action, dict) for action in found):
            raise DamagedSnapshotError(
                f"{self._dataset} version {version} is damaged: {self._files.uri(self.name_of(version))} "
                f"({len(text):,} bytes) is no commit. Put the file back from a copy; or make the newest whole "
                f"snapshot before it the newest again: `factory restore {self._dataset}`"
            )
        return found

    def commit_info(self, version: int) -> dict[str, Any] | None:
        """What a commit says of itself; None where there is none.

        Raises:
            DamagedSnapshotError: Its file is no commit.
        """
        actions = self.actions(version)
        if actions is None:
            return None
        return next((action["commitInfo"] for action in actions if "commitInfo" in action), {})

    def damage(self, version: int) -> str | None:
        """The first file that is wrong among those that a version is read from; None if all look whole."""
        return next(self._damages(version), None)

    def _damages(self, version: int) -> Iterator[str]:
        checkpoints = [
            (int(match[1]), name)
            for name in self._names
            if (match := _CHECKPOINT.fullmatch(name)) and int(match[1]) <= version
        ]
        start, name = max(checkpoints, default=(0, ""))
        if name and not self._is_parquet(name):
            yield f"{self._files.uri(f'{self.folder}/{name}')} is no checkpoint"
        for number in range(start, version + 1):
            address = self._files.uri(self.name_of(number))
            try:
                found = self.actions(number)
            except DamagedSnapshotError:
                yield f"{address} is no commit"
            else:
                if found is None and number > start:
                    yield f"{address} is missing"
                if start == 0 == number and not any("metaData" in one for one in found or ()):
                    yield f"{address} does not describe the table"

    def _is_parquet(self, name: str) -> bool:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            pq.read_table(io.BytesIO(self._files.read(f"{self.folder}/{name}")))
        except (pa.ArrowException, OSError):
            return False
        return True
