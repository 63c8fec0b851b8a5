"""Files in an object store: the addresses that a team may name, and the files that one of them means."""

import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

from pydantic import AfterValidator, ValidationInfo
from pydantic_core import PydanticCustomError

from factory.base.errors import TerminalError
from factory.base.files import is_hidden
from factory.base.section import Surroundings, Text, check_data_path
from factory.lake.storage.address import overlap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from factory.lake.storage.files import FileFacts, Files
    from factory.lake.taken_files import SourceFile

Choose: TypeAlias = "Callable[[Iterable[SourceFile]], set[str]]"
"""Says which files are to be read, by their names."""

log = logging.getLogger(__name__)

_S3 = r"s3://[a-z0-9][a-z0-9.-]+(/[^?#]*)?"
_FILES = r"(s3|gs|az|azure|abfss?|adl)://[a-z0-9][a-z0-9._-]+(@[a-z0-9.-]+)?/.+"
_WILDCARD = re.compile(r"[*?\[]")


class UnreadableFileError(TerminalError):
    """A file that is missing, or is not what it is said to be."""


class NoMatchError(UnreadableFileError):
    """No file is where a path or an address leads."""


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


def fetch(
    address: str,
    lake: str,
    folder: Path,
    most_bytes: int | None = None,
    choose: "Choose | None" = None,
) -> list[Path]:
    """Files of an object store, downloaded, sorted by name.

    Args:
        address: Of one file, or a glob.
        lake: The lake's address, of which nothing is read.
        folder: Where to; files keep their names below the part of the address that is no glob.
        most_bytes: How much to download at most; all when left out.
        choose: Says which of the files are downloaded, by name; all when left out.

    Raises:
        LakeIsNoSourceError: A file is the lake's.
        NoMatchError: There is no such file.
        TerminalError: There is no such bucket, a file is empty, or they are too large.
        StorageError: The store does not answer, or refuses.
    """
    files, found = find(address, lake, choose)
    sizes = {one.name: one.bytes for one in found}
    if most_bytes is not None and sum(sizes.values()) > most_bytes:
        raise TerminalError(
            f"{address} means {sum(sizes.values()):,} bytes, and at most {most_bytes:,} are fetched: name fewer files"
        )
    for key in sizes:
        check_lake(files.uri(key), lake)
        target = folder / key
        target.parent.mkdir(parents=True, exist_ok=True)
        files.download(key, target)
    log.info("fetched %d files from %s", len(sizes), address)
    return [folder / key for key in sizes]


def find(
    address: str, lake: str, choose: "Choose | None" = None
) -> "tuple[Files, list[FileFacts]]":
    """The files that an address means, sorted by name; they are looked for, and not read.

    Args:
        address: Of one file, or a glob.
        lake: The lake's address, of which nothing is read.
        choose: Says which of the files are meant, by name; all when left out.

    Raises:
        LakeIsNoSourceError: A file is the lake's.
        NoMatchError: There is no such file.
        UnreadableFileError: One is empty.
        TerminalError: There is no such bucket.
        StorageError: The store does not answer, or refuses.
    """
    from factory.lake.storage.errors import NoBucketError
    from factory.lake.storage.files import Files

    check_lake(address, lake)
    parent, _, name = address.rpartition("/")
    is_glob = bool(_WILDCARD.search(address))
    files = Files.at(_folder(address) if is_glob else parent)
    try:
        found = _matching(files, address) if is_glob else [_one(files, name)]
    except NoBucketError as error:
        # What it says to write is for the bucket of the lake.
        raise TerminalError(f"{address}: there is no such bucket: correct the path") from error
    if not found:
        raise NoMatchError(f"no file matches {address}: correct the path")
    if choose is not None:
        chosen = choose(source_file(files.uri(one.name), one) for one in found)
        found = [one for one in found if files.uri(one.name) in chosen]
    if empty := [one.name.rpartition("/")[2] for one in found if not one.bytes]:
        raise UnreadableFileError(f"{', '.join(empty)}: empty, without even a header")
    return files, found


def source_file(address: str, facts: "FileFacts") -> "SourceFile":
    """A file as snapshots remember it: by the store's tag of its content, so that nothing is read to know it again."""
    from factory.lake.taken_files import SourceFile

    stamp = f"{facts.bytes} {facts.etag or facts.modified}"
    return SourceFile(address, stamp, lambda: stamp)


def _one(files: "Files", name: str) -> "FileFacts":
    """What is known of one file.

    Raises:
        NoMatchError: There is none.
        TerminalError: It is a folder.
    """
    if (facts := files.facts(name)) is not None:
        return facts
    if next(files.names(f"{name}/"), None) is not None:
        address = files.uri(name)
        raise TerminalError(f"{address} is a folder: name its files, such as {address}/*.csv")
    raise NoMatchError(f"there is no file {name} in {files.address}: correct the path")


def _matching(files: "Files", address: str) -> "list[FileFacts]":
    """What is known of the files that a glob means."""
    pattern = _pattern(address.removeprefix(files.address + "/"))
    # As in a shell, a glob does not mean hidden files.
    return [
        facts
        for facts in files.listed()
        if pattern.fullmatch(facts.name) and not is_hidden(Path(facts.name))
    ]


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
