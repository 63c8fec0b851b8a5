import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from factory.base.errors import TerminalError
from factory.data.embedders.embedder import EmbedError
from factory.data.embedders.scikit_learn import FittedWords
from factory.data.folders import DataFolders
from factory.data.images.store import ImageStore
from factory.data.publish import publish_images
from factory.data.rows import Rows
from factory.data.transforms.embed import EmbedTransform
from factory.data.transforms.run import transform
from factory.data.transforms.transform import Reach
from tests.data.embedders.minilm import export
from tests.data.embedders.onnx_model import small_model
from tests.data.rows import lake_in

TEXTS = ["the cat sat", "a cat and a dog", "ships sail the sea", "the sea is wide", ""]


def embed(folder, texts, run="run", **embedder):
    """The rows, and their table, with vectors of these texts."""
    step = EmbedTransform.model_validate({"type": "embed", "embedder": embedder})
    workspace = folder / run
    workspace.mkdir(exist_ok=True)
    file = workspace / "source.parquet"
    pq.write_table(pa.table({"id": range(len(texts)), "text": pa.array(texts, pa.string())}), file)
    rows = transform(
        [step],
        Rows(file, len(texts), {"id": "BIGINT", "text": "VARCHAR"}),
        workspace=workspace,
        lake=lake_in(folder),
        versions={},
        team="library",
        reach=Reach(DataFolders(folder, (".",)), dataset="library.chunks"),
    )
    return rows, pq.read_table(rows.file)


def test_words_of_the_texts_make_vectors_that_tell_like_from_unlike(tmp_path):
    rows, table = embed(tmp_path, TEXTS, type="sklearn", dimensions=8)
    assert rows.columns == {
        "id": "BIGINT",
        "text": "VARCHAR",
        "vector": "FLOAT[8]",
        "vector_model": "VARCHAR",
    }
    vectors = table["vector"].combine_chunks().flatten().to_numpy().reshape(-1, 8)
    likeness = vectors @ vectors.T
    assert likeness[0, 1] > likeness[0, 2]
    assert likeness[2, 3] > likeness[1, 3]
    assert [round(float(likeness[at, at]), 5) for at in range(5)] == [1, 1, 1, 1, 0]


def test_the_same_texts_have_the_same_vectors_and_the_same_model(tmp_path):
    _, one = embed(tmp_path, TEXTS, "one", type="sklearn")
    _, two = embed(tmp_path, TEXTS, "two", type="sklearn")
    assert one == two
    _, other = embed(tmp_path, [*TEXTS, "new words"], "three", type="sklearn")
    assert other["vector_model"][0] != one["vector_model"][0]


def test_what_was_fitted_is_published_with_the_rows_and_embeds_questions(tmp_path):
    rows, table = embed(tmp_path, TEXTS, type="sklearn", dimensions=8)
    lake = lake_in(tmp_path)
    assert publish_images("library.chunks", rows, lake) == 1
    store = ImageStore(tmp_path / "elsewhere", "library", lake)
    fitted = FittedWords.stored(store, table["vector_model"][0].as_py())
    assert fitted.size == 8
    assert fitted.embed(TEXTS[:1]).tolist() == [table["vector"][0].as_py()]
    assert fitted.embed(["nothing known"]).tolist() == [[0.0] * 8]


def test_texts_without_words_are_told(tmp_path):
    with pytest.raises(EmbedError, match="no text has a word"):
        embed(tmp_path, ["a", "?"], type="sklearn")
    with pytest.raises(EmbedError, match="no text has a word"):
        embed(tmp_path, [], type="sklearn")


def test_columns_that_are_there_already_are_told(tmp_path):
    step = EmbedTransform.model_validate(
        {"type": "embed", "embedder": {"type": "sklearn"}, "into": "text"}
    )
    assert step.known_columns(("id",)) == ("id", "text", "text_model")
    pq.write_table(pa.table({"text": ["x"]}), tmp_path / "source.parquet")
    with pytest.raises(TerminalError, match="a column 'text' already"):
        transform(
            [step],
            Rows(tmp_path / "source.parquet", 1, {"text": "VARCHAR"}),
            workspace=tmp_path,
            lake=lake_in(tmp_path),
            versions={},
            team="t",
        )


def test_missing_extra_is_told(monkeypatch):
    monkeypatch.setattr("factory.data.documents.formats.find_spec", lambda name: None)
    with pytest.raises(ValidationError, match=r"`type: onnx` needs the extra `text`"):
        EmbedTransform.model_validate(
            {"type": "embed", "embedder": {"type": "onnx", "model": "data/m"}}
        )


@pytest.mark.extras
@pytest.mark.parametrize("pooling", ["mean", "first"])
def test_model_in_onnx_embeds_and_each_text_once(tmp_path, pooling, caplog):
    caplog.set_level("INFO")
    small_model(tmp_path / "model")
    how = {"type": "onnx", "model": "model", "pooling": pooling, "normalize": False, "batch": 2}
    rows, table = embed(tmp_path, ["cat dog", "dog", "cat dog sea", None], **how)
    assert rows.columns["vector"] == "FLOAT[4]"
    expected = {
        "mean": [[1.5, 0, 0, 1], [2, 0, 0, 1], [2, 0, 0, 1], [0, 0, 0, 0]],
        "first": [[1, 0, 0, 1], [2, 0, 0, 1], [1, 0, 0, 1], [0, 0, 0, 0]],
    }
    assert table["vector"].to_pylist() == expected[pooling]
    assert table["vector_model"][0].as_py().startswith("model@")
    embed(tmp_path, ["cat dog", "dog", "sea"], **how)
    assert "1 texts are new and were embedded, 2 are known from earlier runs" in caplog.text


@pytest.mark.extras
def test_longer_texts_are_cut_and_vectors_have_length_one(tmp_path):
    small_model(tmp_path / "model")
    _, table = embed(tmp_path, ["cat " * 50 + "sea"], type="onnx", model="model", max_tokens=5)
    vector = table["vector"][0].as_py()
    assert vector == pytest.approx([2**-0.5, 0, 0, 2**-0.5])


@pytest.mark.extras
def test_files_that_are_no_model_are_told(tmp_path):
    with pytest.raises(TerminalError, match="there is no nowhere"):
        embed(tmp_path, ["cat"], type="onnx", model="nowhere")
    small_model(tmp_path / "model", input_name="pixels")
    with pytest.raises(TerminalError, match="wants pixels"):
        embed(tmp_path, ["cat"], type="onnx", model="model")
    (tmp_path / "model/model.onnx").write_bytes(b"no model")
    with pytest.raises(TerminalError, match=r"model\.onnx cannot be loaded"):
        embed(tmp_path, ["cat"], type="onnx", model="model")


@pytest.mark.extras
def test_real_model_gives_the_likenesses_that_it_is_known_for(tmp_path):
    export(tmp_path / "minilm")
    texts = [
        "That is a happy person",
        "That is a happy dog",
        "That is a very happy person",
        "Today is a sunny day",
    ]
    rows, table = embed(tmp_path, texts, type="onnx", model="minilm")
    assert rows.columns["vector"] == "FLOAT[384]"
    vectors = table["vector"].combine_chunks().flatten().to_numpy().reshape(-1, 384)
    # The numbers that the model's page shows for these sentences.
    assert (vectors[1:] @ vectors[0]).tolist() == pytest.approx([0.6946, 0.9429, 0.2569], abs=1e-3)
