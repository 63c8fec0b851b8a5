"""Datasets as Delta tables: one table a dataset, one Delta version a snapshot.

Every commit carries its snapshot's description, so that reading it back scans no data. It is
read from the commit's own file: `DeltaTable.history()` numbers commits from the newest one that it
finds, and so gives wrong numbers on an older version, or while somebody publishes.
"""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow.dataset
import pyarrow.fs
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError
from deltalake.fs import DeltaStorageHandler

from factory import storage
from factory.config.dataset import Write
from factory.lake import publishing
from factory.lake.snapshot import LakeError, NoSnapshotError, Publication, Snapshot

# Reader features under which a version's rows are the rows of its parquet files.
_PLAIN_FEATURES = frozenset({"timestampNtz"})

_UNUSABLE = frozenset("[]|^\\")

# What others may do to a table without changing its rows.
_MAINTENANCE = frozenset({"OPTIMIZE", "VACUUM START", "VACUUM END", "SET TBLPROPERTIES"})


class Lake:
    """The datasets below one storage address."""

    def __init__(self, address: str) -> None:
        """Open nothing yet.

        Args:
            address: An address as `factory.storage.resolve` returns it.

        Raises:
            LakeError: when a folder's name has characters that Delta's library breaks on.
        """
        folder = storage.local_path(address)
        if folder is not None and (found := _UNUSABLE & set(str(folder))):
            raise LakeError(
                f"the lake cannot lie in {folder}: its library breaks on {' '.join(sorted(found))} "
                "in a folder's name. Set `storage` to another folder, or move the project"
            )
        self.storage = address
        # Object stores are set up by their usual variables, such as AWS_ENDPOINT_URL.
        self.storage_options: dict[str, str] | None = None
        if folder is None:
            self.storage_options = {
                name: value
                for name, value in os.environ.items()
                if name.startswith(("AWS_", "AZURE_", "GOOGLE_"))
            }

    def newest(self, dataset: str) -> Snapshot:
        """The newest snapshot of `team.dataset`.

        Raises:
            NoSnapshotError: when nothing has been published yet.
        """
        return self._last_commit(dataset, self.table(dataset).version())[0]

    def snapshot(self, dataset: str, version: int) -> Snapshot:
        """One snapshot of `team.dataset`.

        Raises:
            NoSnapshotError: when there is no such snapshot.
        """
        newest = self.table(dataset).version()
        commit = self._commit(dataset, version) if 0 <= version <= newest else None
        if commit is None or "factory" not in commit:
            known = ", ".join(str(snapshot.version) for snapshot in self.history(dataset)[:10])
            raise NoSnapshotError(
                f"{dataset} has no version {version}: its newest versions are {known}"
            )
        return self._described(dataset, commit)

    def history(self, dataset: str) -> list[Snapshot]:
        """Every snapshot of `team.dataset`, the newest first.

        Raises:
            NoSnapshotError: when nothing has been published yet.
        """
        commits = (
            self._commit(dataset, version)
            for version in range(self.table(dataset).version(), -1, -1)
        )
        return [
            self._described(dataset, commit) for commit in commits if commit and "factory" in commit
        ]

    def scan(self, dataset: str, version: int) -> pyarrow.dataset.Dataset:
        """The rows of a snapshot, read when they are asked for.

        Raises:
            NoSnapshotError: when there is no such snapshot.
        """
        return self.table(dataset, version).to_pyarrow_dataset()

    def rows(self, dataset: str, version: int) -> Sequence[Path] | pyarrow.dataset.Dataset:
        """The rows of a snapshot for `engine.create_view`: parquet files where that is the same.

        Raises:
            NoSnapshotError: when there is no such snapshot.
        """
        table = self.table(dataset, version)
        features = frozenset(table.protocol().reader_features or ())
        files = table.file_uris()
        if self.storage_options is not None or not features <= _PLAIN_FEATURES or not files:
            return table.to_pyarrow_dataset()
        # Local files come as paths that are quoted as in an address.
        return [Path(unquote(file.removeprefix("file://"))) for file in files]

    def publish(
        self,
        dataset: str,
        rows: Path,
        write: Write,
        *,
        run_id: str,
        emit_unchanged: bool = False,
    ) -> Publication:
        """Publish prepared rows as a new snapshot; readers see all of it or nothing.

        Publishing what the newest snapshot already contains makes no new version and is not a
        change; with `emit_unchanged` it makes no version either, but counts as a change. A run that
        publishes the same rows again (a retry after the commit) gets the snapshot that it made,
        as a change, since its event may not have gone out. Publishers that meet each other go
        one after the other.

        Args:
            dataset: The full name, `team.dataset`.
            rows: A parquet file in the lake's types, as `factory.steps.sql.write_rows` makes it.
            write: Whether the rows replace, append to or merge with the published ones.
            run_id: The run that publishes.
            emit_unchanged: Whether consumers should hear of unchanged content.

        Raises:
            SchemaMismatchError: when appended or merged rows do not fit the published ones.
            MergeKeyError: when keys are null or not unique among the new rows.
            AlreadyAppendedError: when this run has already appended other rows.
            LakeError: when others kept on publishing all the time, or storage failed.
        """
        return publishing.publish(
            self, dataset, rows, write, run_id=run_id, emit_unchanged=emit_unchanged
        )

    def uri(self, dataset: str) -> str:
        """The address of `team.dataset`."""
        return storage.dataset_uri(self.storage, dataset)

    def table(self, dataset: str, version: int | None = None) -> DeltaTable:
        """The Delta table behind `team.dataset`, at its newest or a given version.

        Raises:
            NoSnapshotError: when nothing has been published yet, or there is no such version.
        """
        try:
            return DeltaTable(
                self.uri(dataset), version=version, storage_options=self.storage_options
            )
        except TableNotFoundError as error:
            raise NoSnapshotError(
                f"{dataset}: nothing has been published yet. Run the DAG that publishes it first, "
                f"such as by `factory run {dataset}`"
            ) from error
        except DeltaError as error:
            if version is None:
                raise LakeError(
                    f"{dataset} cannot be read at {self.uri(dataset)}: {error}"
                ) from error
            raise NoSnapshotError(f"{dataset} has no version {version}: {error}") from error

    def published(self, dataset: str, version: int) -> tuple[Snapshot, dict[str, Any]]:
        """The snapshot that a Delta version holds, and what its commit noted beside it.

        Raises:
            LakeError: when somebody else has written to the table.
        """
        return self._last_commit(dataset, version)

    def _last_commit(self, dataset: str, version: int) -> tuple[Snapshot, dict[str, Any]]:
        for earlier in range(version, -1, -1):
            commit = self._commit(dataset, earlier)
            if commit and "factory" in commit:
                return self._described(dataset, commit), commit["factory"]
            if commit is None or commit.get("operation") not in _MAINTENANCE:
                break
        raise LakeError(
            f"version {earlier} of {dataset} at {self.uri(dataset)} was not published by its DAG: "
            "something else writes to this table. Let it write elsewhere, and restore the table "
            "to the last version that was published"
        )

    def _commit(self, dataset: str, version: int) -> dict[str, Any] | None:
        handler = DeltaStorageHandler(self.uri(dataset), self.storage_options)
        files = pyarrow.fs.PyFileSystem(handler)
        try:
            with files.open_input_file(f"_delta_log/{version:020d}.json") as log:
                lines = log.read().splitlines()
        except FileNotFoundError:
            return None
        actions = (json.loads(line) for line in lines)
        return next((action["commitInfo"] for action in actions if "commitInfo" in action), {})

    def _described(self, dataset: str, commit: dict[str, Any]) -> Snapshot:
        description = commit["factory"]["snapshot"]
        return Snapshot.from_event({**description, "dataset": dataset, "uri": self.uri(dataset)})
