"""Documents for tests: made here, poisoned ones too."""

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from factory.data.documents.ingest import SCHEMA
from factory.data.folders import DataFolders
from factory.data.rows import Rows
from factory.data.sources.documents import DocumentsSource
from factory.data.sources.source import IngestContext
from factory.lake.table import Lake
from tests.data.rows import lake_in, read

HTML = b"""<html lang="en"><head><title>Tides &amp; moons</title><meta name="author" content="A. Seaman">
<style>p {color: red}</style><script>alert("no text")</script></head>
<body><nav>Home | About</nav><h1>Tides</h1><p>They are <b>twice</b> a day.</p>
<table><tr><th>port</th><th>m</th></tr><tr><td>Brest</td><td>7.2</td></tr></table></body></html>"""

ALIAS_BOMB = "\n".join(
    [
        "---",
        "a0: &a0 [x, x, x, x, x, x, x, x, x, x]",
        *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)),
        "---",
        "text",
    ]
).encode()
"""Front matter of 500 bytes that becomes a thousand thousand million values."""


def pdf(pages: Sequence[str], title: str = "", *, endless: bool = False) -> bytes:
    """A PDF with a line a page; an endless one is its own first page's parent and child."""
    kids = [4 + 2 * number for number in range(len(pages))]
    listed = "2 0 R" if endless else " ".join(f"{kid} 0 R" for kid in kids)
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{listed}] /Count {len(pages)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for kid, text in zip(kids, pages, strict=True):
        stream = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET"
        objects.append(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources << /Font << /F1 3 0 R >> >> "
            f"/Contents {kid + 1} 0 R >>"
        )
        objects.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
    objects.append(f"<< /Title ({title}) >>")
    body, places = "%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(body))
        body += f"{number} 0 obj\n{content}\nendobj\n"
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    trailer = f"<< /Size {len(objects) + 1} /Root 1 0 R /Info {len(objects)} 0 R >>"
    return (
        f"{body}xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}trailer\n{trailer}\n"
        f"startxref\n{len(body)}\n%%EOF\n"
    ).encode()


_WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"


def docx(file: Path, paragraphs: Sequence[tuple[str, str]], *, more_bytes: int = 0) -> Path:
    """A document of Word of paragraphs with their styles; so many zeros more make a bomb of it."""
    body = "".join(
        f'<w:p><w:pPr><w:pStyle w:val="{style}"/></w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>'
        for style, text in paragraphs
    )
    styles = "".join(
        f'<w:style w:type="paragraph" w:styleId="Heading{n}"><w:name w:val="heading {n}"/></w:style>'
        for n in (1, 2)
    )
    rels = "http://schemas.openxmlformats.org/package/2006/relationships"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    content = {
        "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>',
        "_rels/.rels": f'<Relationships xmlns="{rels}"><Relationship Id="r1" Type="{office}/officeDocument" '
        'Target="word/document.xml"/></Relationships>',
        "word/_rels/document.xml.rels": f'<Relationships xmlns="{rels}"><Relationship Id="r1" '
        f'Type="{office}/styles" Target="styles.xml"/></Relationships>',
        "word/styles.xml": f'<w:styles xmlns:w="{_WORD}">{styles}</w:styles>',
        "word/document.xml": f'<w:document xmlns:w="{_WORD}"><w:body>{body}</w:body></w:document>',
        "docProps/core.xml": '<c:coreProperties xmlns:c="http://schemas.openxmlformats.org/package/2006/metadata/'
        'core-properties" xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:creator>A. Seaman</dc:creator>'
        "</c:coreProperties>",
    }
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in content.items():
            archive.writestr(name, text)
        if more_bytes:
            archive.writestr("word/more.xml", bytes(more_bytes))
    return file


def source(**keys: Any) -> DocumentsSource:
    return DocumentsSource.model_validate({"type": "documents", **keys})


def ingested(project: Path, lake: Lake | None = None, run: str = "workspace", **keys: Any) -> Rows:
    """The rows of the folder `docs` of the project, or of what `keys` name."""
    workspace = project / run
    workspace.mkdir(exist_ok=True)
    if "prefix" not in keys:
        keys.setdefault("path", "docs")
    context = IngestContext(
        DataFolders(project, (".",)), workspace, "library", lake or lake_in(project)
    )
    return source(**keys).ingest(context)


def by_uri(rows: Rows) -> dict[str, dict[str, Any]]:
    return {row[1]: dict(zip(SCHEMA.names, row, strict=True)) for row in read(rows)}
