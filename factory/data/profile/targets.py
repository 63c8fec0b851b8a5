"""What a person can name to be looked at: files, an address, a dataset of the lake."""

import contextlib
import glob
import re
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from factory.base.errors import TerminalError
from factory.base.files import is_hidden
from factory.base.secrets import secret_in_text
from factory.base.section import KEPT_OUT, NAME, Surroundings
from factory.base.texts import one_of, shown
from factory.data.profile.inspection import (
    Format,
    Inspection,
    Limits,
    Named,
    inspect_files,
    inspect_snapshot,
)
from factory.data.profile.proposal import dataset_name

if TYPE_CHECKING:
    from factory.lake.table import Lake

_FORMATS: dict[str, Format] = {
    ".csv": "csv", ".tsv": "csv", ".txt": "csv", ".psv": "csv", ".dat": "csv",
    ".xlsx": "excel", ".xlsm": "excel", ".json": "json", ".jsonl": "json", ".ndjson": "json", ".parquet": "parquet", ".pq": "parquet",
}  # fmt: skip
_MOST_FETCHED = 1_000_000_000
"""Bytes that are downloaded at most, as of an address."""
_PACKED = (".gz", ".zst", ".bz2")
_DATASET = re.compile(rf"{NAME.pattern}\.{NAME.pattern}")
_WILDCARD = re.compile(r"[*?\[]")


class NothingToInspectError(TerminalError):
    """What was named is not there, or not something that can be looked at."""


@dataclass(frozen=True)
class Project:
    """The project that the YAML is for."""

    folder: Path
    data_folders: tuple[str, ...]
    internal_hosts: tuple[str, ...]
    lake: "Callable[[], contextlib.AbstractContextManager[Lake]]"
    """Reaches the lake; asked where something of it is needed."""


@dataclass(frozen=True)
class Asked:
    """What a person has written beside the name."""

    version: int | None = None
    format: Format | None = None
    team: str | None = None
    dataset: str | None = None
    asks: bool = False
    """See `Named.asks`."""
    limits: Limits = field(default_factory=Limits)


def inspect(what: Sequence[str], asked: Asked, project: Project) -> Inspection:
    """Look at what was named.

    Args:
        what: One file, glob, address or `team.dataset`; or several files, which a shell has made of a glob.
        asked: What was written beside it.
        project: The project that the YAML is for.

    Raises:
        NothingToInspectError: It is not there.
        FactoryError: It cannot be read.
    """
    [first, *more] = what
    with tempfile.TemporaryDirectory(prefix="factory-inspect-") as folder:
        scratch = Path(folder)
        if more:
            if address := next((one for one in what if "://" in one), None):
                raise NothingToInspectError(
                    f"{shown(address, 200)}: of several addresses one is looked at, or a glob such as s3://bucket/folder/*.csv"
                )
            return _files([Path(name) for name in what], _as_glob(what), asked, project, scratch)
        scheme = first.partition("://")[0].lower() if "://" in first else ""
        if scheme in ("http", "https"):
            return _address(first, asked, project, scratch)
        if scheme:
            return _object_store(first, asked, project, scratch)
        if (
            not Path(first).exists()
            and _DATASET.fullmatch(first)
            and Path(first).suffix not in _FORMATS
        ):
            return _dataset(first, asked, project, scratch)
        return _files(_found(first), first, asked, project, scratch)


def _found(name: str) -> list[Path]:
    path = Path(name)
    if path.is_dir():
        raise NothingToInspectError(
            f"{shown(name)} is a folder: name its files, such as '{shown(name.rstrip('/'))}/*.csv'"
        )
    if path.is_file():
        return [path]
    found = [Path(one) for one in sorted(glob.glob(name, recursive=True))]  # noqa: PTH207 - of absolute paths too
    files = [one for one in found if one.is_file()]
    if files:
        return files
    hint = (
        "" if _WILDCARD.search(name) else "; a dataset is named TEAM.DATASET, an address https://…"
    )
    raise NothingToInspectError(f"there is no file {shown(name, 200)}{hint}")


def _as_glob(names: Sequence[str]) -> str:
    """The glob that a shell has probably made these files of."""
    paths = [Path(name) for name in names]
    if missing := [path for path in paths if not path.is_file()]:
        raise NothingToInspectError(f"there is no file {shown(missing[0], 200)}")
    folders, suffixes = (
        {path.parent for path in paths},
        {"".join(path.suffixes[-2:]) for path in paths},
    )
    if len(folders) == 1 and len(suffixes) == 1:
        return str(folders.pop() / f"*{suffixes.pop()}")
    raise NothingToInspectError(
        "several files are looked at as one table: name such as lie in one folder and end alike"
    )


def _files(
    paths: Sequence[Path], name: str, asked: Asked, project: Project, scratch: Path
) -> Inspection:
    if empty := [path for path in paths if not path.stat().st_size]:
        raise NothingToInspectError(f"{shown(empty[0], 200)} is empty, without even a header")
    form = asked.format or _format(paths[0])
    written, notes = _below_project(name, paths, project)
    named = _named(
        asked, shown(name, 200), {"type": form, "path": written}, PurePosixPath(written), notes
    )
    return inspect_files(paths, form, named, asked.limits, scratch)


def _below_project(name: str, paths: Sequence[Path], project: Project) -> tuple[str, Sequence[str]]:
    """The path that a team file names, and what must be done for it to be there."""
    root = project.folder.resolve()
    full = Path(name).absolute()
    with contextlib.suppress(ValueError):
        path = full.parent.resolve().relative_to(root) / full.name
        allowed = any(path.is_relative_to(folder) for folder in project.data_folders)
        if allowed and not is_hidden(path) and path.parts[0] not in KEPT_OUT:
            return path.as_posix(), ()
    folder = project.data_folders[0] if project.data_folders else "data"
    goal = (PurePosixPath(folder) / full.name.lstrip(".")).as_posix()
    what = "the file" if len(paths) == 1 else "the files"
    return goal, (f"copy {what} there first: sources read below {one_of(project.data_folders)}",)


def _address(url: str, asked: Asked, project: Project, scratch: Path) -> Inspection:
    from pydantic import ValidationError

    from factory.data.download import Login, download
    from factory.data.sources.http import HttpSource

    surroundings = Surroundings(project.folder, (), internal_hosts=project.internal_hosts)
    try:
        source = HttpSource.model_validate({"type": "http", "url": url}, context=surroundings)
    except ValidationError as error:
        raise NothingToInspectError("; ".join(one["msg"] for one in error.errors())) from None
    parts = urlsplit(url)
    name = PurePosixPath(unquote(parts.path)).name or "download"
    file = scratch / re.sub(r"[^\w.-]", "_", name)[-100:].lstrip(".")
    download(
        str(source.url),
        file,
        max_bytes=source.max_bytes,
        login=Login(),
        internal_hosts=project.internal_hosts,
    )
    if not file.stat().st_size:
        raise NothingToInspectError("the address gives an empty file")
    form = asked.format or _format(file)
    written = url
    notes: Sequence[str] = ()
    if secret_in_text(url) or parts.username or parts.password:
        written = parts._replace(netloc=parts.netloc.rpartition("@")[2], query="").geturl()
        notes = ("the address had a secret in it: put it into a `connection` of Airflow",)
    section = {"type": "http", "url": written, **({} if form == "csv" else {"format": form})}
    label = shown(
        parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl(), 200
    )
    return inspect_files(
        [_unnamed(file, form)],
        form,
        _named(asked, label, section, PurePosixPath(name), notes),
        asked.limits,
        scratch,
    )


def _unnamed(file: Path, form: Format) -> Path:
    """A download without the suffix that tells how it is packed: sources do not go by it either."""
    return file.rename(file.with_name(f"download.{form}"))


def _object_store(address: str, asked: Asked, project: Project, scratch: Path) -> Inspection:
    from pydantic import ValidationError

    from factory.data.sources.csv import CsvSource
    from factory.data.sources.object_stores import fetch

    with project.lake() as lake:
        surroundings = Surroundings(project.folder, (), storage=lake.storage)
        try:
            CsvSource.model_validate({"type": "csv", "path": address}, context=surroundings)
        except ValidationError as error:
            raise NothingToInspectError("; ".join(one["msg"] for one in error.errors())) from None
        paths = fetch(address, lake.storage, scratch / "fetched", _MOST_FETCHED)
    form = asked.format or _format(paths[0])
    named = _named(
        asked, shown(address, 200), {"type": form, "path": address}, PurePosixPath(address)
    )
    return inspect_files(paths, form, named, asked.limits, scratch)


def _dataset(name: str, asked: Asked, project: Project, scratch: Path) -> Inspection:
    team, _, dataset = name.partition(".")
    chosen = Asked(
        asked.version,
        None,
        asked.team or team,
        asked.dataset or f"{dataset}_checked",
        limits=asked.limits,
    )
    notes = () if chosen.team == team else (f"{team} must share it: `share_with: [{chosen.team}]`",)
    named = _named(
        chosen, name, {"type": "dataset", "dataset": name}, PurePosixPath(dataset), notes
    )
    with project.lake() as lake:
        return inspect_snapshot(lake, name, asked.version, named, asked.limits, scratch)


def _named(
    asked: Asked, label: str, source: dict[str, str], path: PurePosixPath, notes: Sequence[str] = ()
) -> Named:
    stem = path.name
    while PurePosixPath(stem).suffix in (*_PACKED, *_FORMATS):
        stem = PurePosixPath(stem).stem
    # Of `sales/*.csv` the folder tells more.
    if not re.search("[A-Za-z]", stem):
        stem = f"{path.parent.name}_{stem}"
    name = asked.dataset or dataset_name(stem)
    return Named(label, source, asked.team or name, name, notes, asked.asks)


def _format(path: Path) -> Format:
    """How a file is written, by its name, or else by how it begins."""
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() not in _PACKED]
    if suffixes and suffixes[-1] in _FORMATS:
        return _FORMATS[suffixes[-1]]
    with path.open("rb") as file:
        start = file.read(64).lstrip()
    if start.startswith(b"PAR1"):
        return "parquet"
    if start.startswith(b"PK"):
        return "excel"
    return "json" if start[:1] in (b"{", b"[") else "csv"
