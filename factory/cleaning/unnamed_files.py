"""Files of the lake that no snapshot names: of publications that were killed, or never came to their commit.

What any version of any dataset names stays, for old versions stay readable.
"""

import re
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from factory.base.files import TEMPORARY, UNFINISHED
from factory.cleaning.leftover import Leftover, Stays
from factory.lake import engine
from factory.lake.engine import literal, quote
from factory.lake.snapshot import DamagedSnapshotError
from factory.lake.storage import address
from factory.lake.storage.files import FileFacts
from factory.lake.table import Lake
from factory.lake.table_log import TableLog

IMAGES = re.compile(r"[a-z0-9_]+/_files/[0-9a-f]{2}/[0-9a-f]{64}\.[a-z0-9]+")
"""What the bytes of images are kept as; see `factory.data.images.store`."""
_DATA = re.compile(r"(?P<dataset>[a-z0-9_]+/[a-z0-9_]+)/(?P<file>[^/]+\.parquet)")
_LOG = re.compile(r"(?P<dataset>[a-z0-9_]+/[a-z0-9_]+)/_delta_log/\d{20}\.json")


def unnamed_files(lake: Lake, *, now: float, grace: float) -> Iterator[Leftover | Stays]:
    """The files that no version of a dataset names.

    Args:
        lake: The lake.
        now: The time, in seconds of the epoch.
        grace: Seconds for which a file is not touched: its publication may be under way.
    """
    yield from _unfinished(lake, now, grace)
    found = list(lake.files.listed())
    datasets = sorted({match["dataset"] for one in found if (match := _LOG.fullmatch(one.name))})
    named: dict[str, set[str]] = {}
    for dataset in datasets:
        try:
            named[dataset] = _named(lake, dataset.replace("/", "."))
        except DamagedSnapshotError as error:
            yield Stays(f"files of {dataset.replace('/', '.')}, and all images: {error}")
    old = [one for one in found if now - one.modified > grace]
    for one in old:
        match = _DATA.fullmatch(one.name)
        # A folder without a log may be a first publication's; one with a damaged log names nothing.
        if match and match["dataset"] in named and match["file"] not in named[match["dataset"]]:
            yield _leftover(lake, one, now, grace)
    images = [one for one in old if IMAGES.fullmatch(one.name)]
    if not images or len(named) < len(datasets):
        return
    in_use = _images(lake, {name for name in named if named[name]}, named)
    for one in images:
        if one.name not in in_use:
            yield _leftover(lake, one, now, grace)


def _leftover(lake: Lake, file: FileFacts, now: float, grace: float) -> Leftover:
    def remove() -> None:
        # Once more: a publication that has use for it has written it anew.
        latest = lake.files.facts(file.name)
        if latest is not None and now - latest.modified > grace:
            lake.files.delete(file.name)

    return Leftover(f"{lake.files.uri(file.name)}, which no snapshot names", file.bytes, remove)


def _unfinished(lake: Lake, now: float, grace: float) -> Iterator[Leftover]:
    """Files in a folder that were being written when their process was killed."""
    folder = address.local_path(lake.storage)
    if folder is None:
        return  # an object store shows no part of a file
    for file in sorted(folder.rglob(f"{UNFINISHED}*")):
        facts = file.lstat()
        if now - facts.st_mtime > grace:
            remove = partial(file.unlink, missing_ok=True)
            yield Leftover(f"{file}, which was never finished", facts.st_size, remove)


def _named(lake: Lake, dataset: str) -> set[str]:
    """The data files that any version names.

    Raises:
        DamagedSnapshotError: A part of the log cannot be read, and so nobody knows.
    """
    log = TableLog(lake.files, dataset)
    names: set[str] = set()
    for version in range(max(log.versions()) + 1):
        actions = log.actions(version)
        if actions is None:
            raise DamagedSnapshotError(f"the log of {dataset} has no version {version}")
        names |= {action["add"]["path"] for action in actions if "add" in action}
    return names


def _images(lake: Lake, datasets: set[str], named: dict[str, set[str]]) -> set[str]:
    """The images that any version of any dataset names."""
    in_use: set[str] = set()
    with tempfile.TemporaryDirectory(prefix=TEMPORARY) as folder:
        for dataset in sorted(datasets):
            for file in sorted(named[dataset]):
                local = _local(lake, f"{dataset}/{file}", Path(folder))
                if local is not None:
                    in_use |= _addresses(local, Path(folder))
    return in_use


def _local(lake: Lake, name: str, scratch: Path) -> Path | None:
    if not lake.files.exists(name):
        return None  # taken away by hand, and its version with it
    folder = address.local_path(lake.storage)
    if folder is not None:
        return folder / name
    file = scratch / "data.parquet"
    lake.files.download(name, file)
    return file


def _addresses(file: Path, scratch: Path) -> set[str]:
    with engine.connect(scratch) as connection:
        engine.create_view(connection, "rows", [file])
        rows = connection.table("rows")
        found: set[str] = set()
        for name, kind in engine.columns_of(rows).items():
            if kind == "VARCHAR":
                matching = rows.filter(
                    f"regexp_full_match({quote(name)}, {literal(IMAGES.pattern)})"
                )
                found |= {row[0] for row in matching.project(quote(name)).distinct().fetchall()}
        return found
