"""Tables in S3 as arrow reads them, with errors that say what to do and hold no key."""

from typing import Any

import pyarrow as pa
import pyarrow.fs
from deltalake import DeltaTable
from deltalake.fs import DeltaStorageHandler

from factory.lake.storage.access import Access
from factory.lake.storage.s3_errors import explain_text


def filesystem(table: DeltaTable, address: str, access: Access) -> pa.fs.FileSystem:
    """The files of a Delta table in S3, for `DeltaTable.to_pyarrow_dataset`."""
    actions = pa.table(table.get_add_actions())
    sizes = dict(zip(actions["path"].to_pylist(), actions["size_bytes"].to_pylist(), strict=True))
    return pa.fs.PyFileSystem(_Handler(address, access, sizes))


class _Handler(DeltaStorageHandler):  # type: ignore[misc]
    """Opens files whose failures are explained."""

    def __init__(self, address: str, access: Access, sizes: dict[str, int]) -> None:
        super().__init__(address, access.delta_options(), sizes)
        self._address = address
        self._access = access

    def open_input_file(self, path: str) -> pa.PythonFile:
        """A file for reading, at any position."""
        try:
            return pa.PythonFile(
                _File(self._handler.open_input_file(path), self._address, self._access), mode="r"
            )
        except FileNotFoundError:
            raise
        except OSError as error:
            raise _retold(error, self._address, self._access) from None

    def open_input_stream(self, path: str) -> pa.PythonFile:
        """The same, to be read from its beginning."""
        return self.open_input_file(path)


class _File:
    """A file in S3 that is read; in all else as deltalake made it."""

    def __init__(self, file: Any, address: str, access: Access) -> None:
        self._file = file
        self._address = address
        self._access = access

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def read(self, size: int = -1) -> bytes:
        """So many bytes from here on; all that are left if negative."""
        try:
            content: bytes = self._file.read(size)
        except OSError as error:
            raise _retold(error, self._address, self._access) from None
        return content


def _retold(error: OSError, address: str, access: Access) -> OSError:
    """The same as an OSError: arrow and DuckDB hand on nothing else as what it is."""
    return OSError(str(explain_text(str(error), address, access)))
