import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from factory.base.errors import TerminalError
from factory.data.documents.outline import parts_of
from factory.data.folders import DataFolders
from factory.data.rows import Rows
from factory.data.transforms.chunk import ChunkTransform
from factory.data.transforms.run import transform
from factory.data.transforms.transform import Reach
from tests.data.rows import lake_in

HANDBOOK = """Preface.

# Boats

## Sails

Sails are set. They catch the wind. They are made of cloth.

## Hulls

```sh
# no heading
```
"""


def step(**keys) -> ChunkTransform:
    return ChunkTransform.model_validate({"type": "chunk", **keys})


def chunks(folder, texts, **keys):
    """The chunks of documents a, b, … with these texts."""
    table = pa.table({"id": list("abcdef"[: len(texts)]), "text": pa.array(texts, pa.string())})
    pq.write_table(table.append_column("uri", table["id"]), folder / "source.parquet")
    rows = Rows(folder / "source.parquet", len(texts), {"id": "", "text": "", "uri": ""})
    reach = Reach(DataFolders(folder, (".",)))
    after = transform(
        [step(**keys)],
        rows,
        workspace=folder,
        lake=lake_in(folder),
        versions={},
        team="t",
        reach=reach,
    )
    return pq.read_table(after.file).to_pylist()


@pytest.fixture(autouse=True)
def _extra_is_there(monkeypatch):
    monkeypatch.setattr("factory.data.documents.formats.find_spec", lambda name: name)


def test_parts_are_the_text_and_know_their_headings():
    parts = list(parts_of(HANDBOOK))
    assert "".join(part.text for part in parts) == HANDBOOK
    assert [part.headings for part in parts] == [
        (),
        ("Boats",),
        ("Boats", "Sails"),
        ("Boats", "Hulls"),
    ]
    assert "# no heading" in parts[3].text
    assert list(parts_of("")) == []


def test_overlap_must_leave_room_and_columns_of_chunks_are_theirs():
    with pytest.raises(ValidationError, match="leaves no room"):
        step(size=100, overlap=100)
    with pytest.raises(ValidationError, match="a column 'text' of their own"):
        step(keep=["text"])
    kept = step(keep=["uri"]).known_columns(("id", "text", "uri"))
    assert kept == ("chunk_id", "document_id", "position", "headings", "text", "uri")


def test_missing_extra_is_told(monkeypatch):
    monkeypatch.setattr("factory.data.documents.formats.find_spec", lambda name: None)
    with pytest.raises(ValidationError, match=r"`type: chunk` needs the extra `text`: pip install"):
        step()


@pytest.mark.extras
def test_no_chunk_spans_two_headings(tmp_path):
    found = chunks(tmp_path, [HANDBOOK, None], size=40, keep=["uri"])
    assert [(one["position"], one["headings"], one["text"]) for one in found] == [
        (0, [], "Preface."),
        (1, ["Boats", "Sails"], "Sails are set. They catch the wind."),
        (2, ["Boats", "Sails"], "They are made of cloth."),
        (3, ["Boats", "Hulls"], "```sh\n# no heading\n```"),
    ]
    assert {one["document_id"] for one in found} == {one["uri"] for one in found} == {"a"}


@pytest.mark.extras
def test_chunks_of_sentences_overlap(tmp_path):
    text = "One is here. Two is here. Three is here. Four is here."
    found = chunks(tmp_path, [text], by="sentences", size=30, overlap=15)
    assert [one["text"] for one in found] == [
        "One is here. Two is here.",
        "Two is here. Three is here.",
        "Three is here. Four is here.",
    ]


@pytest.mark.extras
def test_a_chunk_keeps_its_id_where_text_is_added_before_it(tmp_path):
    before = chunks(tmp_path, ["# A\n\nsame\n\n# B\n\nsame too", "x"])
    after = chunks(tmp_path, ["# New\n\nnew\n\n# A\n\nsame\n\n# B\n\nsame too", "x"])
    ids = {one["text"]: one["chunk_id"] for one in after}
    assert all(ids[one["text"]] == one["chunk_id"] for one in before)
    again = chunks(tmp_path, ["twice\n\n# A\n\nx\n\n# A\n\nx"])
    assert len({one["chunk_id"] for one in again}) == len(again) == 3


@pytest.mark.extras
def test_tokenizer_counts_tokens(tmp_path):
    from tokenizers import Tokenizer, models, pre_tokenizers

    made = Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    (tmp_path / "words").mkdir()
    made.save(str(tmp_path / "words/tokenizer.json"))
    text = " ".join(["internationalization"] * 50)
    found = chunks(tmp_path, [text], by="sentences", size=20, tokenizer="words")
    assert [len(one["text"].split()) for one in found] == [20, 20, 10]
    (tmp_path / "words/tokenizer.json").write_text("{}")
    with pytest.raises(TerminalError, match="no tokenizer of Hugging Face"):
        chunks(tmp_path, [text], tokenizer="words")
    with pytest.raises(TerminalError, match=r"holds no tokenizer\.json"):
        chunks(tmp_path, [text], tokenizer=".")
    with pytest.raises(TerminalError, match="the package no_such_models is not installed"):
        chunks(tmp_path, [text], tokenizer="package:no_such_models/a")


@pytest.mark.extras
def test_missing_column_is_told(tmp_path):
    with pytest.raises(TerminalError, match="no column 'txet'"):
        chunks(tmp_path, ["x"], column="txet")
