"""The bytes of images: in the run's workspace until they are published, then in the lake.

An image's address is `<team>/_files/<first 2 hex digits>/<SHA-256>.<ext>`, below the lake's storage
and, for new ones, below the workspace's folder `files`. The same bytes have the same address.
"""

import hashlib
import os
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from factory.base.digests import sha256
from factory.base.errors import TerminalError
from factory.base.files import ReadableBytes, whole_file
from factory.lake.snapshot import LakeError
from factory.lake.storage.errors import NoFileError

if TYPE_CHECKING:
    from factory.lake.table import Lake

_CHUNK = 1 << 18

ADDRESS = r"[a-z0-9_]+/_files/[0-9a-f]{2}/[0-9a-f]{64}\.[a-z0-9]+"
"""A regular expression that every address matches whole."""

UNREADABLE = "bin"
"""The extension of what cannot be read as an image."""


class ImageError(TerminalError):
    """Images that cannot be used."""


class TamperedImageError(LakeError, TerminalError):
    """Bytes in the lake that are not those that were published."""


@dataclass(frozen=True)
class Stored:
    """An image's bytes in the workspace."""

    address: str
    bytes: int


class ImageStore:
    """The images that one run makes, and those in the lake that it reads."""

    def __init__(self, workspace: Path, team: str, lake: "Lake") -> None:
        """Touch nothing yet.

        Args:
            workspace: The run's scratch folder.
            team: The team that owns new images: their addresses start with its name.
            lake: Where other images lie.
        """
        self.folder = workspace / "files"
        self.team = team
        self.lake = lake

    def add(self, content: ReadableBytes, extension: Callable[[Path], str]) -> Stored:
        """Keep new bytes, which are streamed and hashed on their way.

        Args:
            content: The bytes.
            extension: Says, of the file that they are in, what its name is to end with.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        digest, size = hashlib.sha256(), 0
        handle, name = tempfile.mkstemp(dir=self.folder, prefix="unfinished.")
        try:
            with os.fdopen(handle, "wb") as target:
                while chunk := content.read(_CHUNK):
                    digest.update(chunk)
                    size += len(chunk)
                    target.write(chunk)
            address = address_of(self.team, digest.hexdigest(), extension(Path(name)))
            file = self.folder / address
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            Path(name).replace(file)
        finally:
            Path(name).unlink(missing_ok=True)
        return Stored(address, size)

    def add_bytes(self, content: bytes, extension: str) -> Stored:
        """Keep new bytes that are in memory anyway."""
        address = address_of(self.team, sha256(content), extension)
        with whole_file(self.folder / address) as unfinished:
            unfinished.write_bytes(content)
        return Stored(address, len(content))

    def read(self, address: str) -> bytes:
        """The bytes behind an address: new ones from the workspace, others from the lake.

        Raises:
            ImageError: It is no address, or there are no bytes.
            TamperedImageError: There are other bytes.
        """
        try:
            return (self.folder / checked(address)).read_bytes()
        except FileNotFoundError:
            return read_from(self.lake, address)

    def has(self, address: str) -> bool:
        """Whether the bytes are new ones of this run."""
        return (self.folder / checked(address)).is_file()


def read_from(lake: "Lake", address: str) -> bytes:
    """Bytes that have been published.

    Raises:
        ImageError: It is no address, or there are no bytes.
        TamperedImageError: There are other bytes.
    """
    try:
        content = lake.files.read(checked(address))
    except NoFileError as error:
        raise ImageError(
            f"{address} is in a snapshot and not in the lake ({lake.storage}): restore the file, or "
            "publish the dataset again"
        ) from error
    found = sha256(content)
    if found != Path(address).stem:
        raise TamperedImageError(
            f"{lake.files.uri(address)} holds other bytes than were published (SHA-256 {found}): "
            "remove the file and restore it"
        )
    return content


def address_of(team: str, digest: str, extension: str) -> str:
    """The address of bytes, relative to the lake's storage."""
    return f"{team}/_files/{digest[:2]}/{digest}.{extension}"


def checked(address: str) -> str:
    """The address, if it is one; a table may hold any text.

    Raises:
        ImageError: It is not.
    """
    if not re.fullmatch(ADDRESS, address):
        raise ImageError(
            f"{address[:200]!r} is no image's address (team/_files/ab/abcd….jpg): the column must "
            "come, unchanged, from a dataset whose source is `type: images`"
        )
    return address
