"""The formats of documents: how their names end, what they are called, and what reading them needs."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import PurePosixPath
from typing import Literal

from pydantic_core import PydanticCustomError

FormatName = Literal["text", "markdown", "csv", "code", "html", "pdf", "docx"]

_CODE = "c cc cpp cs css go h hpp ini java js json jsx kt lua php pl py r rb rs scala sh sql swift toml ts tsx xml yaml yml"


@dataclass(frozen=True)
class Format:
    """One format of documents."""

    name: FormatName
    media_types: Mapping[str, str]
    """The media type by the suffix of files' names, in lower case."""
    needs: tuple[str, ...] = field(default=())
    """Modules of the extra `text` that reading it imports."""


_FORMATS = (
    Format("text", dict.fromkeys((".txt", ".text", ".log", ".rst"), "text/plain")),
    Format("markdown", dict.fromkeys((".md", ".markdown"), "text/markdown")),
    Format("csv", {".csv": "text/csv", ".tsv": "text/tab-separated-values"}),
    Format("code", {f".{end}": "text/plain" for end in _CODE.split()}),
    Format(
        "html",
        dict.fromkeys((".html", ".htm", ".xhtml"), "text/html"),
        ("bs4", "lxml", "markdownify"),
    ),
    Format("pdf", {".pdf": "application/pdf"}, ("pypdf",)),
    Format(
        "docx",
        {".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
        ("bs4", "lxml", "mammoth", "markdownify"),
    ),
)

FORMATS: Mapping[str, Format] = {one.name: one for one in _FORMATS}
"""Every format by its name."""

BY_SUFFIX: Mapping[str, Format] = {end: one for one in _FORMATS for end in one.media_types}
"""The format of files by how their names end, in lower case."""


def format_of(path: str) -> Format | None:
    """The format that a file's name tells; None for one that is no document."""
    return BY_SUFFIX.get(PurePosixPath(path).suffix.lower())


def is_missing(needs: Iterable[str]) -> bool:
    """Whether a module of the extra `text` is not installed."""
    return any(find_spec(name) is None for name in needs)


def needs_extra(what: str) -> str:
    """That something needs the extra `text`, and how to install it."""
    return f'{what} needs the extra `text`: pip install "ml-dag-factory[text]"'


def missing_packages(
    what: str, needs: Iterable[str], *at: str | int
) -> Iterator[PydanticCustomError]:
    """What is wrong with a section where the extra `text` is not installed.

    Args:
        what: What needs it.
        needs: The modules that it imports.
        at: The place in the section.
    """
    if is_missing(needs):
        yield PydanticCustomError("not_installed", "{said}", {"said": needs_extra(what), "at": at})
