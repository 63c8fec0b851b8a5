"""Whether the files of a snapshot are those that were published.

The name of each data file ends with the SHA-256 of its content, and so the commit that adds the file
holds its digest, beside its size. Files of before, or of other programs, have their size alone.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from factory.base.digests import sha256
from factory.lake.snapshot import DamagedSnapshotError
from factory.lake.storage.errors import NoFileError

if TYPE_CHECKING:
    from factory.lake.storage.files import Files

Verify = Literal["sample", "full", "off"]
"""How the files of a snapshot are looked at before they are read: the size of all and the content of
some, the content of all, or not at all."""

SAMPLE_BYTES = 64 * 1024**2
"""How much `sample` reads of a snapshot; at least one file."""

_AT_ONCE = 4
_DIGEST = re.compile(r"-([0-9a-f]{64})\.parquet\Z")


@dataclass(frozen=True)
class DataFile:
    """A file of a snapshot, as its commit describes it."""

    name: str
    """Relative to the table's folder."""
    bytes: int

    @property
    def digest(self) -> str | None:
        """The SHA-256 of its content; None where its name does not tell."""
        found = _DIGEST.search(self.name)
        return found[1] if found else None


def check_files(
    files: "Files", dataset: str, version: int, data: Sequence[DataFile], how: Verify
) -> None:
    """Check the files of a snapshot.

    Args:
        files: The lake's files.
        dataset: The full name, `team.dataset`.
        version: The snapshot's version.
        data: Its files.
        how: How thoroughly.

    Raises:
        DamagedSnapshotError: A file is missing, or is not what was published; says what to do.
    """
    if how == "off":
        return
    check_sizes(files, dataset, version, data)
    named = [file for file in data if file.digest is not None]
    to_read = named if how == "full" else list(_sample(named, version))
    folder = dataset.replace(".", "/")

    def digest(file: DataFile) -> str:
        return files.sha256(f"{folder}/{file.name}")

    from factory.base.parallel import in_order

    try:
        for file, found in in_order(to_read, digest, at_once=_AT_ONCE):
            if found != file.digest:
                raise _damaged(
                    files, dataset, version, file, f"holds other bytes than were published: {found}"
                )
    except NoFileError as error:
        raise DamagedSnapshotError(f"{dataset} version {version}: {error}") from error


def check_sizes(files: "Files", dataset: str, version: int, data: Sequence[DataFile]) -> None:
    """Check that the files of a snapshot are there, and as long as they were.

    Raises:
        DamagedSnapshotError: One is not.
    """
    from factory.base.parallel import in_order

    folder = dataset.replace(".", "/")
    for file, found in in_order(data, lambda one: files.facts(f"{folder}/{one.name}"), at_once=8):
        if found is None:
            raise _damaged(files, dataset, version, file, "is missing")
        if found.bytes != file.bytes:
            raise _damaged(
                files,
                dataset,
                version,
                file,
                f"has {found.bytes:,} bytes, and had {file.bytes:,} when it was published",
            )


def _sample(data: Sequence[DataFile], version: int) -> Iterator[DataFile]:
    """Some of the files: always the same of a version, others of the next one."""
    read = 0
    for file in sorted(data, key=lambda one: sha256(f"{version} {one.name}")):
        if read and read + file.bytes > SAMPLE_BYTES:
            return
        yield file
        read += file.bytes


def _damaged(
    files: "Files", dataset: str, version: int, file: DataFile, what: str
) -> DamagedSnapshotError:
    address = files.uri(f"{dataset.replace('.', '/')}/{file.name}")
    return DamagedSnapshotError(
        f"{dataset} version {version} is damaged: {address} {what}. Put the file back from a copy; or make "
        f"the newest whole snapshot before it the newest again: `factory restore {dataset}`"
    )
