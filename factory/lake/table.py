"""Datasets as Delta tables: one table a dataset, one Delta version a snapshot.

Every commit carries its snapshot's description, so that reading it back scans no data. It is
read from the commit's own file: `DeltaTable.history()` numbers commits from the newest one that it
finds, and so gives wrong numbers on an older version, or while somebody publishes.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.dataset
import pyarrow.fs
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError
from deltalake.fs import DeltaStorageHandler

from factory.lake import engine
from factory.lake.snapshot import DamagedSnapshotError, LakeError, NoSnapshotError, Snapshot
from factory.lake.storage import address as storage
from factory.lake.storage.errors import StorageError
from factory.lake.storage.files import Files
from factory.lake.storage.object_store import ObjectStore
from factory.lake.table_log import TableLog
from factory.lake.verification import DataFile, Verify, check_files, check_sizes

# Reader features under which a version's rows are the rows of its parquet files.
_PLAIN_FEATURES = frozenset({"timestampNtz"})

_UNUSABLE = frozenset("[]|^\\")

# What others may do to a table without changing its rows.
_MAINTENANCE = frozenset(
    {"OPTIMIZE", "VACUUM START", "VACUUM END", "SET TBLPROPERTIES", "ADD FEATURE"}
)


class Lake:
    """The datasets below one storage address."""

    def __init__(self, address: str, *, verify: Verify = "sample") -> None:
        """Open nothing yet.

        Args:
            address: An address as `factory.lake.storage.address.resolve` returns it.
            verify: How the files of a snapshot are looked at before its rows are read; once in a process.

        Raises:
            LakeError: when a folder's name has characters that Delta's library breaks on.
            NoSuchStorageError: when the address is neither of a folder nor of an object store.
            MissingExtraError: when the lake is in S3, and the extra `aws` is not installed.
        """
        folder = storage.local_path(address)
        if folder is not None and (found := _UNUSABLE & set(str(folder))):
            raise LakeError(
                f"the lake cannot lie in {folder}: its library breaks on {' '.join(sorted(found))} "
                "in a folder's name. Set `storage` to another folder, or move the project"
            )
        self.storage = address
        self.verify: Verify = verify
        self._verified: set[tuple[str, int]] = set()
        self._store = ObjectStore.at(address) if folder is None else None

    @property
    def storage_options(self) -> dict[str, str] | None:
        """What Delta's library needs to reach the lake; None for a folder. Holds secrets.

        Raises:
            NoCredentialsError: when the lake is in S3, and there are none.
        """
        return None if self._store is None else self._store.delta_options()

    @cached_property
    def files(self) -> Files:
        """The files beside the tables, such as images: see `factory.lake.storage.files`."""
        return Files.at(self.storage)

    def newest(self, dataset: str) -> Snapshot:
        """The newest snapshot of `team.dataset`.

        Raises:
            NoSnapshotError: when nothing has been published yet.
        """
        return self.published(dataset, self.table(dataset).version())[0]

    def snapshot(self, dataset: str, version: int) -> Snapshot:
        """One snapshot of `team.dataset`.

        Raises:
            NoSnapshotError: when there is no such snapshot.
        """
        commit = self._commit(dataset, version)
        if commit is None or "factory" not in commit:
            known = ", ".join(str(snapshot.version) for snapshot in self.history(dataset)[:10])
            raise NoSnapshotError(
                f"{dataset} has no version {version}: its newest versions are {known}"
            )
        return self._described(dataset, commit)

    def history(self, dataset: str) -> list[Snapshot]:
        """Every snapshot of `team.dataset` that is described, the newest first.

        Raises:
            NoSnapshotError: when nothing has been published yet.
        """
        found: list[Snapshot] = []
        for version in range(self.table(dataset).version(), -1, -1):
            try:
                commit = self._commit(dataset, version)
            except DamagedSnapshotError:
                continue  # what was restored after it is whole
            if commit and "factory" in commit:
                found.append(self._described(dataset, commit))
        return found

    def scan(self, dataset: str, version: int) -> pyarrow.dataset.Dataset:
        """The rows of a snapshot, read when they are asked for.

        Raises:
            NoSnapshotError: when there is no such snapshot.
            DamagedSnapshotError: when its files are not those that were published.
        """
        return self._scan(dataset, self._verified_table(dataset, version))

    def rows(self, dataset: str, version: int) -> Sequence[Path] | pyarrow.dataset.Dataset:
        """The rows of a snapshot for `engine.create_view`: parquet files where that is the same.

        Raises:
            NoSnapshotError: when there is no such snapshot.
            DamagedSnapshotError: when its files are not those that were published.
        """
        table = self._verified_table(dataset, version)
        features = frozenset(table.protocol().reader_features or ())
        files = table.file_uris()
        if self._store is not None or not features <= _PLAIN_FEATURES or not files:
            return self._scan(dataset, table)
        # Local files come as paths that are quoted as in an address.
        return [Path(unquote(file.removeprefix("file://"))) for file in files]

    def check(self, dataset: str, version: int, how: Verify) -> None:
        """Look at the files of a snapshot.

        Raises:
            NoSnapshotError: when there is no such snapshot.
            DamagedSnapshotError: when its files are not those that were published.
        """
        data = data_files(self.table(dataset, version))
        check_files(self.files, dataset, version, data, how)

    def check_sizes(self, dataset: str, table: DeltaTable) -> None:
        """Look at how long the files of a table are, before further ones go beside them.

        Raises:
            DamagedSnapshotError: when one is missing, or longer or shorter than it was.
        """
        check_sizes(self.files, dataset, table.version(), data_files(table))

    def uri(self, dataset: str) -> str:
        """The address of `team.dataset`."""
        return storage.dataset_uri(self.storage, dataset)

    def table(self, dataset: str, version: int | None = None) -> DeltaTable:
        """The Delta table behind `team.dataset`, at its newest or a given version.

        Raises:
            NoSnapshotError: when nothing has been published yet, or there is no such version.
        """
        try:
            with self.reached(dataset):
                return DeltaTable(
                    self.uri(dataset), version=version, storage_options=self.storage_options
                )
        except TableNotFoundError as error:
            raise NoSnapshotError(
                f"{dataset}: nothing has been published yet. Run the DAG that publishes it first, "
                f"such as by `factory run {dataset}`"
            ) from error
        except StorageError:
            raise
        except Exception as error:  # noqa: BLE001 - deltalake raises that itself
            raise self._unreadable(dataset, version, error) from None

    def _unreadable(self, dataset: str, version: int | None, error: Exception) -> LakeError:
        """What to say of a table that Delta's library cannot open; its own words are for its developers."""
        log = TableLog(self.files, dataset)
        versions = log.versions()
        if version is not None and version not in versions:
            return NoSnapshotError(f"{dataset} has no version {version}")
        found = log.damage(versions[-1] if version is None else version)
        if found is None:
            first = str(error).partition("\n")[0]
            return LakeError(f"{dataset} cannot be read at {self.uri(dataset)}: {first}")
        return DamagedSnapshotError(
            f"{dataset} cannot be read{'' if version is None else f' at version {version}'}: its log is "
            f"damaged: {found}. Put the file back from a copy; or make the newest whole snapshot before "
            f"it the newest again: `factory restore {dataset}`"
        )

    @contextmanager
    def reached(self, dataset: str) -> Iterator[None]:
        """Turn what an object store refuses within the block into errors that say what to do.

        Their cause is left out: it holds the key, and what was signed with it.

        Raises:
            StorageError: instead of an OSError or DeltaError that tells of the store's answer.
        """
        try:
            yield
        except (FileNotFoundError, TableNotFoundError, CommitFailedError):
            raise
        except (OSError, DeltaError) as error:
            text, store = str(error), self._store
            is_delta = isinstance(error, DeltaError)
            if store is None or (is_delta and f" {store.in_errors} " not in text):
                raise
            raise store.explain(text, address=self.uri(dataset)) from None

    def published(self, dataset: str, version: int) -> tuple[Snapshot, dict[str, Any]]:
        """The snapshot that a Delta version holds, and the note of the commit that published it.

        Raises:
            LakeError: when somebody else has written to the table.
        """
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
        return TableLog(self.files, dataset).commit_info(version)

    def _verified_table(self, dataset: str, version: int) -> DeltaTable:
        table = self.table(dataset, version)
        if (dataset, version) not in self._verified:
            check_files(self.files, dataset, version, data_files(table), self.verify)
            self._verified.add((dataset, version))
        return table

    def _scan(self, dataset: str, table: DeltaTable) -> pyarrow.dataset.Dataset:
        schema = self._with_vectors(dataset, table)
        if self._store is None:
            return table.to_pyarrow_dataset(schema=schema)
        sizes = {file.name: file.bytes for file in data_files(table)}
        files = _RemoteFiles(self._store, self.uri(dataset), sizes)
        return table.to_pyarrow_dataset(filesystem=pa.fs.PyFileSystem(files), schema=schema)

    def _with_vectors(self, dataset: str, table: DeltaTable) -> pa.Schema | None:
        """The schema with its vectors, which to Delta are lists of any length; None where there are none."""
        schema = pa.schema(table.schema().to_arrow())
        if not any(field.type == pa.list_(pa.float32()) for field in schema):
            return None
        columns = self.published(dataset, table.version())[0].columns
        for at, field in enumerate(schema):
            size = engine.vector_size(columns.get(field.name, ""))
            if size is not None:
                schema = schema.set(at, field.with_type(pa.list_(pa.float32(), size)))
        return schema

    def _described(self, dataset: str, commit: dict[str, Any]) -> Snapshot:
        description = commit["factory"]["snapshot"]
        return Snapshot.from_event({**description, "dataset": dataset, "uri": self.uri(dataset)})


def data_files(table: DeltaTable) -> list[DataFile]:
    """The files of a table's version, as its commits describe them."""
    actions = pa.table(table.get_add_actions())
    names, sizes = actions["path"].to_pylist(), actions["size_bytes"].to_pylist()
    return [DataFile(name, size) for name, size in zip(names, sizes, strict=True)]


class _RemoteFiles(DeltaStorageHandler):  # type: ignore[misc]
    """The files of a table in an object store, as arrow reads them; failures are explained."""

    def __init__(self, store: ObjectStore, table: str, sizes: dict[str, int]) -> None:
        super().__init__(table, store.delta_options(), sizes)
        self._store = store
        self._table = table

    def open_input_file(self, path: str) -> pa.PythonFile:
        """A file for reading, at any position."""
        try:
            file = _File(self._handler.open_input_file(path), self._explained)
            return pa.PythonFile(file, mode="r")
        except FileNotFoundError:
            raise
        except OSError as error:
            raise self._explained(error) from None

    def open_input_stream(self, path: str) -> pa.PythonFile:
        """The same, to be read from its beginning."""
        return self.open_input_file(path)

    def _explained(self, error: OSError) -> OSError:
        """The same as an OSError: arrow and DuckDB hand on nothing else as what it is."""
        return OSError(str(self._store.explain(str(error), address=self._table)))


class _File:
    """A file in an object store that is read; in all else as deltalake made it."""

    def __init__(self, file: Any, explained: Callable[[OSError], OSError]) -> None:
        self._file = file
        self._explained = explained

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def read(self, size: int = -1) -> bytes:
        """So many bytes from here on; all that are left if negative."""
        try:
            content: bytes = self._file.read(size)
        except OSError as error:
            raise self._explained(error) from None
        return content
