"""Real documents to a dataset, to chunks, to vectors; one that changes is the only one that is embedded again."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
import sklearn.datasets

from tests.data.embedders.openai_server import OpenAiServer, openai_server
from tests.harness.airflow import Installation
from tests.harness.project import REPOSITORY

TEAM = """\
version: 1
team: library
owner: library@example.org
datasets:
  documents:
    source: {{type: documents, path: data/library}}
    checks:
      - {{check: min_length, column: text, characters: 200}}
      - {{check: language, column: text, languages: [en]}}
      - {{check: near_duplicates, column: text, on_fail: warn}}
      - {{check: pii, column: text}}
  chunks:
    source: {{type: dataset, dataset: documents}}
    transforms:
      - {{type: chunk, size: 1200, keep: [uri, title]}}
      - type: embed
        embedder: {{type: openai, url: "{url}", model: stand-in, dimensions: 8}}
    write: {{mode: replace}}
  topics:
    source: {{type: dataset, dataset: documents}}
    transforms: [{{type: embed, embedder: {{type: sklearn, dimensions: 16}}}}]
"""

DOCUMENTS, CHUNKS, TOPICS = "library.documents", "library.chunks", "library.topics"


@pytest.fixture(scope="module")
def server() -> Iterator[OpenAiServer]:
    with openai_server() as running:
        yield running


@pytest.fixture(scope="module")
def library(installation: Installation, server: OpenAiServer) -> Installation:
    found = [
        *Path(sklearn.datasets.__file__).parent.joinpath("descr").glob("*.rst"),
        *(REPOSITORY / "docs").glob("s*.md"),
    ]
    files = {f"data/library/{file.name}": file.read_text() for file in found}
    installation.add({**files, "configs/library.yaml": TEAM.format(url=server.url)})
    return installation


def test_one_changed_document_is_the_only_one_that_is_embedded_again(
    library: Installation, server: OpenAiServer
):
    published = library.run(DOCUMENTS)
    first = library.event_of(published).extra
    chunks = library.event_of(library.started_by(library.event_of(published), CHUNKS)).extra
    assert first["rows"] > 15
    assert chunks["rows"] > 3 * first["rows"]
    assert chunks["columns"]["vector"] == "FLOAT[8]"
    sent = len(server.texts)
    assert sent == len(set(server.texts))
    rows = library.lake.scan(CHUNKS, chunks["version"]).to_table()
    assert rows.schema.field("vector").type == pa.list_(pa.float32(), 8)
    assert set(server.texts) == set(rows["text"].to_pylist())

    file = library.project / "data/library/iris.rst"
    new = (
        "A sentence about irises that nobody has written before, and that is long enough to be one."
    )
    file.write_text(f"{file.read_text()}\n\n{new}\n")
    published = library.run(DOCUMENTS)
    again = library.event_of(library.started_by(library.event_of(published), CHUNKS)).extra
    assert again["version"] == chunks["version"] + 1
    later = server.texts[sent:]
    assert 1 <= len(later) <= 2
    assert any(new in text for text in later)
