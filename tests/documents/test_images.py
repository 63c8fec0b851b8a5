"""The document of a dataset of images: a golden file, and what only it has."""

import os
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from factory.catalog import read_all
from factory.data.checks.check import AnyCheck
from factory.data.sources.source import AnySource
from factory.documents.compile import compile_team
from factory.documents.installation import Installation
from factory.documents.rendering import to_yaml
from factory.documents.team_dag import dump

GOLDEN = Path(__file__).parent / "golden" / "images"

GALLERY = """\
version: 1
team: gallery
owner: gallery@example.org
datasets:
  photos:
    description: Every photo as it was taken.
    source:
      type: images
      prefix: s3://inbox/photos
      labels: {type: pattern, pattern: '(?P<label>cat|dog)[.]'}
      limits: {max_files: 5000}
    checks:
      - {check: readable, on_fail: warn}
      - {check: min_size, width: 32, height: 32}
      - {check: label_count, min: 10}
      - {check: duplicate}
  small:
    source: {type: dataset, dataset: photos}
    transforms:
      - {type: sql, query: select * from source where format is not null}
      - {type: images, resize: {width: 96, height: 96, mode: fill}, convert: jpeg, mode: RGB}
"""


@pytest.fixture(scope="module")
def documents(tmp_path_factory):
    configs = tmp_path_factory.mktemp("project") / "configs"
    configs.mkdir()
    (configs / "gallery.yaml").write_text(GALLERY)
    (configs / "_defaults.yaml").write_text("version: 1\n")
    read = read_all(configs, "dev")
    assert not read.problems
    installation = Installation(storage="s3://lake", workspace="/scratch", project=configs.parent)
    return compile_team(read.teams["gallery"].team, installation)


def test_documents_are_the_golden_ones(documents):
    golden = GOLDEN.with_suffix(".yaml")
    text = to_yaml(documents)
    if os.environ.get("REWRITE_GOLDEN"):
        golden.write_text(text)
    assert text == golden.read_text(), "REWRITE_GOLDEN=1 rewrites the file; review the difference"


def test_what_a_document_holds_reads_back_as_the_sections(documents):
    """Values that are defaults are left out, and must not be missed."""
    for section in ({"check": "min_size", "width": 1}, {"check": "label_count", "min": 1}):
        check = TypeAdapter(AnyCheck).validate_python(section)
        assert TypeAdapter(AnyCheck).validate_python(dump(check)) == check
    url = {"type": "images", "url": "https://example.org/a.zip", "max_bytes": 5_000_000_000}
    source = TypeAdapter(AnySource).validate_python(url)
    assert TypeAdapter(AnySource).validate_python(dump(source)) == source
