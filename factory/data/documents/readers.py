"""Text out of files that nobody trusts; runs in the process of `factory.data.documents.reading` alone."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bs4 import BeautifulSoup

    from factory.data.profile.encodings import Encoding

_FRONT_MATTER = re.compile(r"\A---[ \t]*\r?\n(.*?)\r?\n---[ \t]*(?:\r?\n|\Z)", re.DOTALL)
_HEADING = re.compile(r"^#{1,6}[ \t]+(.+?)[ \t#]*$", re.MULTILINE)
_FENCED = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
_LINES = re.compile(r"\n{3,}")
_NO_TEXT = ("script", "style", "noscript", "template", "svg", "iframe")
_METADATA_CHARACTERS = 100_000
_UNPACKED_BYTES = 500_000_000
_DATES = "{http://purl.org/dc/terms/}"
_CORE = "{http://purl.org/dc/elements/1.1/}"


class UnreadableError(Exception):
    """A file that is not what its name says, is broken, or holds more than allowed."""


@dataclass(frozen=True)
class Request:
    """What is to be read, and how much of it at most."""

    file: str
    format: str
    encoding: str | None
    max_pages: int
    max_characters: int


@dataclass(frozen=True)
class Text:
    """What a document says."""

    text: str
    title: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """JSON values by name."""
    doubt: str = ""
    """What is in doubt about it."""


def read(request: Request) -> Text:
    """The text of a file.

    Raises:
        UnreadableError: There is none to be had.
        Exception: Libraries raise nearly anything at broken files.
    """
    found = _READERS[request.format](request)
    if len(found.text) > request.max_characters:
        raise UnreadableError(_too_long(request))
    metadata = {name: value for name, value in found.metadata.items() if value not in (None, "")}
    if len(json.dumps(metadata, default=str)) > _METADATA_CHARACTERS:
        raise UnreadableError(
            f"what it says of itself has more than {_METADATA_CHARACTERS:,} characters"
        )
    title = _clean(found.title or "").strip()
    return Text(_clean(found.text), " ".join(title.split()) or None, metadata, found.doubt)


def _clean(text: str) -> str:
    """Text that UTF-8 can hold, without zeros."""
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")


def _too_long(request: Request) -> str:
    return f"its text has more than {request.max_characters:,} characters (`limits.max_characters`)"


def _plain(request: Request) -> Text:
    from factory.data.profile.encodings import encoding_of

    content, doubt = Path(request.file).read_bytes(), ""
    name = request.encoding
    if name is None:
        found = encoding_of(content)
        name, doubt = found.name, _guessed(found)
    try:
        # A mark at the start is no text.
        text = content.decode("utf-8-sig" if name.lower() in ("utf-8", "utf8") else name)
    except UnicodeDecodeError as error:
        line = 1 + content[: error.start].count(b"\n")
        raise UnreadableError(
            f"line {line} is not in {name} ({error.reason}): correct `encoding`, or leave it out"
        ) from None
    if "\0" in text:
        raise UnreadableError("it holds zero bytes, and is no text")
    return Text(text.replace("\r\n", "\n"), doubt=doubt)


def _guessed(found: "Encoding") -> str:
    """What is in doubt about an encoding; nothing where it is certain."""
    if not found.is_guess:
        return ""
    return f"is read as {found.name}: {found.reason}; write `encoding` if that is wrong"


def _markdown(request: Request) -> Text:
    import yaml

    found = _plain(request)
    text, metadata = found.text, {}
    if front := _FRONT_MATTER.match(text):
        try:
            said = yaml.safe_load(front[1])
        except yaml.YAMLError:
            said = None
        if isinstance(said, dict):
            metadata, text = {str(name): value for name, value in said.items()}, text[front.end() :]
    title = metadata.pop("title", None) or _first_heading(text)
    return Text(text, str(title) if title else None, metadata, found.doubt)


def _first_heading(markdown: str) -> str | None:
    heading = _HEADING.search(_FENCED.sub("", markdown))
    return heading[1] if heading else None


def _html(request: Request) -> Text:
    from bs4 import BeautifulSoup
    from bs4.dammit import EncodingDetector

    from factory.data.profile.encodings import encoding_of

    content, encoding, doubt = Path(request.file).read_bytes(), request.encoding, ""
    if encoding is None and EncodingDetector.find_declared_encoding(content, is_html=True) is None:
        found = encoding_of(content)
        encoding, doubt = found.name, _guessed(found)
    soup = BeautifulSoup(content, "lxml", from_encoding=encoding)
    metadata: dict[str, Any] = {"language": soup.html.get("lang") if soup.html else None}
    for name in ("author", "description", "keywords", "date"):
        tag = soup.find("meta", attrs={"name": name})
        metadata[name] = tag.get("content") if tag else None
    title = soup.title.get_text() if soup.title else None
    text = _html_as_markdown(soup)
    return Text(text, title or _first_heading(text), metadata, doubt)


def _html_as_markdown(soup: "BeautifulSoup") -> str:
    """The main part of a page, where it names one, as Markdown without links and pictures."""
    from markdownify import MarkdownConverter

    for tag in soup(_NO_TEXT):
        tag.decompose()
    part = soup.find("main") or soup.find("article") or soup.body or soup
    for tag in part("nav"):
        tag.decompose()
    converter = MarkdownConverter(heading_style="ATX", strip=["a", "img"])
    return _LINES.sub("\n\n", str(converter.convert_soup(part))).strip()


def _pdf(request: Request) -> Text:
    from pypdf import PdfReader

    reader = PdfReader(request.file)
    if reader.is_encrypted and not reader.decrypt(""):
        raise UnreadableError("it is encrypted: store it without a password")
    pages = len(reader.pages)
    if pages > request.max_pages:
        raise UnreadableError(
            f"it has {pages:,} pages, and at most {request.max_pages:,} are read (`limits.max_pages`)"
        )
    texts, characters = [], 0
    for page in reader.pages:
        texts.append(page.extract_text().strip())
        characters += len(texts[-1])
        if characters > request.max_characters:
            raise UnreadableError(_too_long(request))
    said = reader.metadata
    about: dict[str, Any] = {"pages": pages}
    if said is not None:
        dates = {"created": said.creation_date_raw, "modified": said.modification_date_raw}
        about |= {
            "author": said.author,
            "subject": said.subject,
            "keywords": said.keywords,
            **dates,
        }
    text = "\n\n".join(filter(None, texts))
    doubt = "" if text else "has no text: if it is a scan, its letters must be recognised first"
    return Text(text, said.title if said is not None else None, about, doubt)


def _docx(request: Request) -> Text:
    import mammoth
    from bs4 import BeautifulSoup

    from factory.data.archives import Limits, members

    file = Path(request.file)
    # It is an archive: what comes out of it is counted before anything believes its headers.
    limits = Limits(10_000, _UNPACKED_BYTES, _UNPACKED_BYTES)
    names = [member.name for member in members(file, limits)]
    if "word/document.xml" not in names:
        raise UnreadableError("it is no document of Word: it holds no word/document.xml")
    pictures = mammoth.images.img_element(lambda _: {})
    with file.open("rb") as content:
        html = mammoth.convert_to_html(content, convert_image=pictures).value
    text = _html_as_markdown(BeautifulSoup(html, "lxml"))
    metadata = _core_properties(file) if "docProps/core.xml" in names else {}
    return Text(text, metadata.pop("title", None) or _first_heading(text), metadata)


def _core_properties(docx: Path) -> dict[str, Any]:
    import zipfile

    from lxml import etree

    with zipfile.ZipFile(docx) as archive:
        parser = etree.XMLParser(resolve_entities=False, no_network=True)
        root = etree.fromstring(archive.read("docProps/core.xml"), parser)
    names = {
        "title": f"{_CORE}title",
        "author": f"{_CORE}creator",
        "subject": f"{_CORE}subject",
        "language": f"{_CORE}language",
        "created": f"{_DATES}created",
        "modified": f"{_DATES}modified",
    }
    return {name: root.findtext(tag) for name, tag in names.items()}


_READERS: dict[str, Callable[[Request], Text]] = {
    "text": _plain,
    "markdown": _markdown,
    "csv": _plain,
    "code": _plain,
    "html": _html,
    "pdf": _pdf,
    "docx": _docx,
}
"""What reads each format."""
