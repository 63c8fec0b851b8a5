"""Files in an object store: the addresses that a team may name, and the files that one of them means."""

import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, ValidationInfo
from pydantic_core import PydanticCustomError

from factory.base.errors import TerminalError
from factory.base.files import is_hidden
from factory.base.section import Surroundings, Text, check_data_path
from factory.lake.storage.address import overlap

if TYPE_CHECKING:
    from factory.lake.storage.files import Files

log = logging.getLogger(__name__)

_S3 = r"s3://[a-z0-9][a-z0-9.-]+(/[^?#]*)?"
_FILES = r"(s3|gs|az|azure|abfss?|adl)://[a-z0-9][a-z0-9._-]+(@[a-z0-9.-]+)?/.+"
_WILDCARD = re.compile(r"[*?\[]")


class LakeIsNoSourceError(TerminalError):
    """An address within the lake, which holds the datasets of all teams."""


def _check_prefix(value: str, info: ValidationInfo) -> str:
    if not re.fullmatch(_S3, value):
        raise _no_address(value, "s3://bucket/images")
    return _check_lake(value.rstrip("/"), value, info)


def _check_files(value: str, info: ValidationInfo) -> str:
    if "://" not in value:
        return check_data_path(value, info)
    _, _, rest = value.partition("://")
    if not re.fullmatch(_FILES, value) or set(rest.split("/")) & {"", ".", ".."}:
        raise _no_address(value, "s3://bucket/folder/*.csv")
    return _check_lake(value, value, info)


def _no_address(value: str, example: str) -> PydanticCustomError:
    return PydanticCustomError(
        "prefix",
        "{value} is no address of an object store: write one such as {example}",
        {"value": repr(value), "example": example},
    )


def _check_lake(address: str, value: str, info: ValidationInfo) -> str:
    surroundings = info.context
    if isinstance(surroundings, Surroundings) and overlap(_folder(address), surroundings.storage):
        raise PydanticCustomError(
            "prefix",
            "{value} is the lake's, which holds the datasets of all teams",
            {
                "value": repr(value),
                "advice": "read a dataset through `inputs`, or write another prefix",
            },
        )
    return address


StorePrefix = Annotated[Text, AfterValidator(_check_prefix)]
"""The address of a folder, or of one archive, in an object store."""

FilesPath = Annotated[Text, AfterValidator(_check_files)]
"""A path or glob below a folder that sources may read, or `s3://bucket/folder/*.csv` of an object store."""


def is_in_store(path: str) -> bool:
    """Whether a path is the address of an object store."""
    return "://" in path


def check_lake(address: str, lake: str) -> None:
    """Check that an address, which may be a glob, lies outside the lake.

    Raises:
        LakeIsNoSourceError: It does not.
    """
    if overlap(_folder(address), lake):
        raise LakeIsNoSourceError(f"{address} is the lake's: read a dataset through `inputs`")


def fetch(address: str, lake: str, folder: Path) -> list[Path]:
    """Files of an object store, downloaded, sorted by name.

    Args:
        address: Of one file, or a glob.
        lake: The lake's address, of which nothing is read.
        folder: Where to; files keep their names below the part of the address that is no glob.

    Raises:
        LakeIsNoSourceError: A file is the lake's.
        TerminalError: There is no such file, or one is empty.
        StorageError: The store does not answer, or refuses.
    """
    from factory.lake.storage.files import Files

    check_lake(address, lake)
    parent, _, name = address.rpartition("/")
    files = Files.at(_folder(address) if _WILDCARD.search(address) else parent)
    found = []
    for key in _keys(files, address) if _WILDCARD.search(address) else [name]:
        check_lake(files.uri(key), lake)
        target = folder / key
        target.parent.mkdir(parents=True, exist_ok=True)
        files.download(key, target)
        found.append(target)
    if empty := [file.name for file in found if not file.stat().st_size]:
        raise TerminalError(f"{', '.join(empty)}: empty, without even a header")
    if not found:
        raise TerminalError(f"no file matches {address}: correct `source.path`")
    log.info("fetched %d files from %s", len(found), address)
    return found


def _keys(files: "Files", address: str) -> Iterator[str]:
    pattern = _pattern(address.removeprefix(files.address + "/"))
    # As in a shell, a glob does not mean hidden files.
    return (key for key in files.names() if pattern.fullmatch(key) and not is_hidden(Path(key)))


def _folder(address: str) -> str:
    """The part of an address that no wildcard is in, up to its last `/`; all of one without any."""
    wildcard = _WILDCARD.search(address)
    return address[: wildcard.start()].rpartition("/")[0] if wildcard else address


def _pattern(glob: str) -> re.Pattern[str]:
    """What a glob matches: `*` stays within a folder, `**` is any number of folders."""
    *folders, name = glob.split("/")
    parts = ["(?:.*/)?" if folder == "**" else f"{_segment(folder)}/" for folder in folders]
    return re.compile("".join([*parts, _segment(name)]))


def _segment(glob: str) -> str:
    """The pattern of one part of a path."""
    signs = re.findall(r"\[[^]]+\]|.", glob)
    known = {"*": "[^/]*", "?": "[^/]"}
    return "".join(
        known.get(sign) or (sign.replace("[!", "[^") if len(sign) > 1 else re.escape(sign))
        for sign in signs
    )
