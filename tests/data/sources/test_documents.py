import hashlib
import json
import logging

import psutil
import pytest
from pydantic import ValidationError

from factory.base.errors import TerminalError
from factory.data.archives import ArchiveError
from factory.data.documents.ingest import SCHEMA, UnreadableDocumentsError
from factory.data.documents.readers import Request, UnreadableError
from factory.data.documents.reading import DocumentReader
from factory.data.found_files import UnusableFilesError
from factory.data.publish import publish_images
from factory.data.sources.documents import COLUMNS
from factory.lake import publishing
from factory.lake.write import Write
from tests.data.archives import tar_of, zip_entry, zip_of
from tests.data.documents.documents import (
    ALIAS_BOMB,
    HTML,
    by_uri,
    docx,
    ingested,
    pdf,
    source,
)
from tests.data.images.images import write
from tests.data.rows import lake_in
from tests.harness.s3 import BUCKET

PLAIN = {
    "a.txt": b"One line.\r\nAnother.",
    "notes/b.md": b"---\ntitle: Rules\ntags: [x, y]\n---\n# First\n\nBody.",
    "notes/c.csv": b"id,name\n1,Ann\n",
    "code/d.py": b"print('hello')\n",
}


def test_every_document_is_a_row_and_its_bytes_lie_under_their_hash(tmp_path):
    write(tmp_path / "docs", PLAIN)
    rows = ingested(tmp_path)
    assert tuple(rows.columns) == COLUMNS == tuple(SCHEMA.names) == source(path="x").known_columns()
    found = by_uri(rows)
    assert list(found) == ["docs/a.txt", "docs/code/d.py", "docs/notes/b.md", "docs/notes/c.csv"]
    for name, content in PLAIN.items():
        row, digest = found[f"docs/{name}"], hashlib.sha256(content).hexdigest()
        ending = name.rpartition(".")[2]
        assert row["content_hash"] == digest
        assert row["file"] == f"library/_files/{digest[:2]}/{digest}.{ending}"
        assert (tmp_path / "workspace" / "files" / row["file"]).read_bytes() == content
        assert row["bytes"] == len(content)
    assert found["docs/a.txt"]["text"] == "One line.\nAnother."
    assert found["docs/a.txt"]["title"] == "a"
    rules = found["docs/notes/b.md"]
    assert (rules["title"], rules["text"]) == ("Rules", "# First\n\nBody.")
    assert json.loads(rules["metadata"]) == {"tags": ["x", "y"]}
    assert rules["media_type"] == "text/markdown"


def test_a_document_that_changes_keeps_its_id(tmp_path):
    write(tmp_path / "docs", PLAIN)
    before = by_uri(ingested(tmp_path))
    write(tmp_path / "docs", {"a.txt": b"New."})
    after = by_uri(ingested(tmp_path))
    assert {uri: row["id"] for uri, row in before.items()} == {
        uri: row["id"] for uri, row in after.items()
    }
    changed = [
        uri for uri, row in after.items() if row["content_hash"] != before[uri]["content_hash"]
    ]
    assert changed == ["docs/a.txt"]
    assert len({row["id"] for row in after.values()}) == len(PLAIN)


def test_bytes_are_published_once_and_only_those_that_changed_again(tmp_path):
    write(tmp_path / "docs", PLAIN)
    lake = lake_in(tmp_path)
    uploaded = []
    for number, content in enumerate((b"One.", b"Two.", b"Two.")):
        write(tmp_path / "docs", {"a.txt": content})
        rows = ingested(tmp_path, lake, f"run{number}")
        uploaded.append(publish_images("library.docs", rows, lake))
        publishing.publish(lake, "library.docs", rows.file, Write(), run_id=f"run{number}")
    assert uploaded == [len(PLAIN), 1, 0]
    assert lake.newest("library.docs").version == 1
    (row,) = (row for uri, row in by_uri(rows).items() if uri == "docs/a.txt")
    assert lake.files.read(row["file"]) == b"Two."


@pytest.mark.parametrize("name", ["all.tar.gz", "all.zip"])
def test_an_archive_gives_the_documents_in_it(tmp_path, name):
    (zip_of if name.endswith("zip") else tar_of)(tmp_path / name, PLAIN)
    found = by_uri(ingested(tmp_path, path=name))
    assert sorted(found) == sorted(f"{name}/{inner}" for inner in PLAIN)
    assert found[f"{name}/a.txt"]["text"] == "One line.\nAnother."


def test_an_archive_that_leads_elsewhere_is_refused(tmp_path):
    zip_entry(tmp_path / "bad.zip", "../a.txt")
    with pytest.raises(ArchiveError, match="leads out of the folder"):
        ingested(tmp_path, path="bad.zip")


def test_formats_and_names_say_what_is_taken(tmp_path, caplog):
    write(tmp_path / "docs", PLAIN | {"photo.jpg": b"x", ".hidden.txt": b"x"})
    with caplog.at_level(logging.INFO):
        found = by_uri(ingested(tmp_path, formats=["markdown", "csv"]))
    assert list(found) == ["docs/notes/b.md", "docs/notes/c.csv"]
    assert "left out" in caplog.text
    with pytest.raises(UnusableFilesError, match=r"there is no document, but 1 others: photo\.jpg"):
        ingested(tmp_path, path="docs/*.jpg")


def test_encoding_is_found_and_a_guess_is_told(tmp_path, caplog):
    write(
        tmp_path / "docs",
        {
            "one.txt": "Grüße aus Köln, schöne Mädchen".encode("cp1252"),
            "two.txt": "\ufeffmarked".encode(),
            "three.txt": "wide".encode("utf-16"),
        },
    )
    found = by_uri(ingested(tmp_path))
    assert {uri: row["text"] for uri, row in found.items()} == {
        "docs/one.txt": "Grüße aus Köln, schöne Mädchen",
        "docs/three.txt": "wide",
        "docs/two.txt": "marked",
    }
    assert "docs/one.txt is read as cp1252" in caplog.text
    assert "write `encoding`" in caplog.text


def test_document_that_is_not_in_the_encoding_names_its_line(tmp_path):
    write(tmp_path / "docs", {"a.txt": b"plain\nGr\xfc\xdfe"})
    with pytest.raises(
        UnreadableDocumentsError, match=r"docs/a\.txt cannot be read: line 2 is not in utf-8"
    ):
        ingested(tmp_path, encoding="utf-8")


def test_document_that_cannot_be_read_is_an_error_or_is_left_out_by_name(tmp_path, caplog):
    write(tmp_path / "docs", {"good.txt": b"good", "bad.txt": b"a\0b", "worse.md": b"\0"})
    with pytest.raises(UnreadableDocumentsError) as raised:
        ingested(tmp_path)
    said = str(raised.value)
    assert "docs/bad.txt cannot be read" in said
    assert "docs/worse.md cannot be read" in said
    assert "on_doubt: warn" in said
    found = by_uri(ingested(tmp_path, on_doubt="warn"))
    assert list(found) == ["docs/good.txt"]
    assert "docs/bad.txt cannot be read: it holds zero bytes, and is no text: it is left out" in (
        caplog.text
    )


def test_poisoned_document_ends_the_process_that_reads_it_and_the_next_is_read(tmp_path, caplog):
    write(tmp_path / "docs", {"a.md": ALIAS_BOMB, "b.md": b"# Fine"})
    found = by_uri(ingested(tmp_path, on_doubt="warn", limits={"seconds": 2}))
    assert list(found) == ["docs/b.md"]
    assert "docs/a.md cannot be read" in caplog.text


def test_process_that_reads_documents_sees_no_variable_of_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET_OF_THE_TASK", "s3cr3t")
    file = tmp_path / "a.txt"
    file.write_text("text")
    with DocumentReader(30) as reader:
        reader.read(Request(str(file), "text", None, 1, 100))
        assert reader._process is not None
        assert "SECRET_OF_THE_TASK" not in psutil.Process(reader._process.pid).environ()


def test_limits_of_files_and_characters_hold(tmp_path):
    write(tmp_path / "docs", PLAIN)
    with pytest.raises(UnusableFilesError, match="more than 2 documents"):
        ingested(tmp_path, limits={"max_files": 2})
    with pytest.raises(UnusableFilesError, match=r"is larger than 5 bytes"):
        ingested(tmp_path, limits={"max_file_bytes": 5})
    with pytest.raises(UnreadableDocumentsError, match="more than 15 characters"):
        ingested(tmp_path, limits={"max_characters": 15})


def test_missing_extra_is_told_where_it_is_known(tmp_path, monkeypatch):
    monkeypatch.setattr("factory.data.documents.formats.find_spec", lambda name: None)
    with pytest.raises(ValidationError, match=r'pip install "ml-dag-factory\[text\]"'):
        source(path="data/*", formats=["markdown", "pdf"])
    with pytest.raises(ValidationError, match="a document in docx needs the extra"):
        source(path="data/*.docx")
    write(tmp_path / "docs", {"a.pdf": b"%PDF"})
    with pytest.raises(TerminalError, match=r"docs/a\.pdf: .* needs the extra `text`"):
        ingested(tmp_path)
    write(tmp_path / "docs", PLAIN)
    assert ingested(tmp_path, formats=["text", "markdown", "csv", "code"]).rows == len(PLAIN)


@pytest.mark.extras
def test_html_becomes_markdown_with_headings_and_tables(tmp_path):
    write(tmp_path / "docs", {"a.html": HTML})
    [row] = by_uri(ingested(tmp_path)).values()
    assert row["title"] == "Tides & moons"
    assert row["text"].startswith("# Tides\n\nThey are **twice** a day.")
    assert "| Brest | 7.2 |" in row["text"]
    assert "alert" not in row["text"]
    assert "About" not in row["text"]
    assert json.loads(row["metadata"]) == {"author": "A. Seaman", "language": "en"}


@pytest.mark.extras
def test_encoding_of_a_page_is_the_one_that_it_says_or_a_guess_that_is_told(tmp_path, caplog):
    text = "Grüße aus Köln, schöne Mädchen"
    pages = {
        "said.html": f"<meta charset=iso-8859-1><p>{text}".encode("latin-1"),
        "guessed.html": f"<p>{text}".encode("cp1252"),
        "plain.html": f"<p>{text}".encode(),
    }
    write(tmp_path / "docs", pages)
    assert {row["text"] for row in by_uri(ingested(tmp_path)).values()} == {text}
    assert "docs/guessed.html is read as cp1252" in caplog.text
    assert caplog.text.count("is read as") == 1


@pytest.mark.extras
def test_pdf_and_docx_are_read_with_what_they_say_of_themselves(tmp_path):
    write(tmp_path / "docs", {"a.pdf": pdf(["First page.", "Second page."], "Two pages")})
    docx(tmp_path / "docs/b.docx", [("Heading1", "Ships"), ("Normal", "They float.")])
    found = by_uri(ingested(tmp_path))
    paper, word = found["docs/a.pdf"], found["docs/b.docx"]
    assert (paper["title"], paper["text"]) == ("Two pages", "First page.\n\nSecond page.")
    assert json.loads(paper["metadata"])["pages"] == 2
    assert (word["title"], word["text"]) == ("Ships", "# Ships\n\nThey float.")
    assert json.loads(word["metadata"]) == {"author": "A. Seaman"}


@pytest.mark.extras
def test_poisoned_pdf_and_docx_are_told_and_never_hang(tmp_path):
    write(
        tmp_path / "docs",
        {
            "broken.pdf": b"%PDF-1.4 and nothing else",
            "endless.pdf": pdf(["x"], endless=True),
            "long.pdf": pdf(["x"] * 4),
            "no.docx": b"PK and nothing else",
        },
    )
    docx(tmp_path / "docs/bomb.docx", [("Normal", "x")], more_bytes=150_000_000)
    with pytest.raises(UnreadableDocumentsError) as raised:
        ingested(tmp_path, limits={"max_pages": 3, "seconds": 20})
    said = dict(line.split(" cannot be read: ") for line in str(raised.value).splitlines()[:-1])
    assert sorted(said) == sorted(
        f"docs/{name}" for name in ("broken.pdf", "endless.pdf", "long.pdf", "no.docx", "bomb.docx")
    )
    assert "4 pages" in said["docs/long.pdf"]
    assert "times its size" in said["docs/bomb.docx"]


def test_reader_that_dies_says_so(tmp_path):
    with DocumentReader(5) as reader:
        file = tmp_path / "a.txt"
        file.write_text("text")
        reader.read(Request(str(file), "text", None, 1, 100))
        reader._process.kill()
        reader._process.wait()
        with pytest.raises(UnreadableError, match="ended the process"):
            reader.read(Request(str(file), "text", None, 1, 100))
        assert reader.read(Request(str(file), "text", None, 1, 100)).text == "text"


def test_prefix_that_is_no_object_store_is_refused():
    with pytest.raises(ValidationError, match="no address of an object store"):
        source(prefix="ftp://inbox/letters")


def test_documents_of_an_object_store_have_their_addresses(tmp_path, s3):
    for name, content in PLAIN.items():
        s3.client().put_object(Bucket=BUCKET, Key=f"inbox/{name}", Body=content)
    found = by_uri(ingested(tmp_path, lake_in(tmp_path), prefix=f"s3://{BUCKET}/inbox"))
    assert sorted(found) == sorted(f"s3://{BUCKET}/inbox/{name}" for name in PLAIN)
