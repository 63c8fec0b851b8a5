import logging
from contextlib import nullcontext

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from factory.base.errors import FactoryError, TerminalError
from factory.data.download import Login
from factory.data.embedders.embedder import EmbedError
from factory.data.embedders.openai import BusyServerError, OpenAiEmbedder
from factory.data.folders import DataFolders
from factory.data.rows import Rows
from factory.data.transforms.embed import EmbedTransform
from factory.data.transforms.run import transform
from factory.data.transforms.transform import Reach
from tests.data.embedders.openai_server import KEY, openai_server
from tests.data.rows import lake_in
from tests.harness.s3 import STORAGE


class Connections:
    def query_chunks(self, *arguments, **more):
        raise NotImplementedError

    def http_login(self, connection):
        assert connection == "embeddings"
        return Login(password=KEY, host="127.0.0.1")

    def store_access(self, connection):
        return nullcontext()


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    monkeypatch.setattr(OpenAiEmbedder, "patience", 0.01)


@pytest.fixture
def server():
    with openai_server() as running:
        yield running


def embedded(folder, server, texts, dataset="library.chunks", hosts=("127.0.0.1",), **keys):
    """The table of these texts with their vectors."""
    keys = {"url": server.url, "model": "small", "connection": "embeddings", **keys}
    step = EmbedTransform.model_validate({"type": "embed", "embedder": {"type": "openai", **keys}})
    pq.write_table(pa.table({"text": pa.array(texts, pa.string())}), folder / "source.parquet")
    after = transform(
        [step],
        Rows(folder / "source.parquet", len(texts), {"text": "VARCHAR"}),
        workspace=folder,
        lake=lake_in(folder),
        versions={},
        team="library",
        reach=Reach(DataFolders(folder, (".",)), hosts, Connections(), dataset),
    )
    assert after.columns["vector"].startswith("FLOAT[")
    return pq.read_table(after.file)


def test_key_is_not_sent_to_a_server_that_is_none_of_the_connections(tmp_path, server):
    url = server.url.replace("127.0.0.1", "localhost")
    with pytest.raises(TerminalError, match="what it holds is not sent to localhost"):
        embedded(tmp_path, server, ["one"], url=url, hosts=("localhost",))


def test_each_text_is_sent_once_and_has_its_vector(tmp_path, server):
    table = embedded(tmp_path, server, ["a", "bbb", None, "a", " "], batch=1)
    assert table["vector"].to_pylist() == [[1, 1, 1], [3, 1, 1], [0, 0, 0], [1, 1, 1], [0, 0, 0]]
    assert table.schema.field("vector").type == pa.list_(pa.float32(), 3)
    assert set(table["vector_model"].to_pylist()) == {"small"}
    assert server.texts == ["a", "bbb"]
    assert server.keys == [f"Bearer {KEY}"] * 2


def test_unchanged_text_costs_nothing_again(tmp_path, server):
    texts = [f"text {number}" for number in range(30)]
    before = embedded(tmp_path, server, texts, batch=10)
    assert len(server.requests) == 3
    changed = [*texts[:7], "a new one", *texts[8:]]
    after = embedded(tmp_path, server, changed, batch=10)
    assert server.texts[30:] == ["a new one"]
    assert after.slice(8)["vector"] == before.slice(8)["vector"]
    embedded(tmp_path, server, changed)
    assert len(server.requests) == 4
    kept = [*lake_in(tmp_path).files.names("library/_vectors/")]
    assert len(kept) == 1


def test_another_model_embeds_anew_and_another_dataset_keeps_its_own(tmp_path, server):
    embedded(tmp_path, server, ["a"])
    embedded(tmp_path, server, ["a"], model="large")
    embedded(tmp_path, server, ["a"], dataset="library.others")
    embedded(tmp_path, server, ["a"], dataset=None)
    embedded(tmp_path, server, ["a"], batch=7)
    assert len(server.requests) == 4


def test_damaged_vectors_are_embedded_again(tmp_path, server, caplog):
    embedded(tmp_path, server, ["a"])
    [name] = lake_in(tmp_path).files.names("library/_vectors/")
    (tmp_path / "lake" / name).write_bytes(b"damaged")
    embedded(tmp_path, server, ["a"])
    assert server.texts == ["a", "a"]
    assert "is damaged" in caplog.text


def test_server_that_is_busy_is_asked_again_after_the_time_that_it_says(tmp_path, server, caplog):
    server.failures = [(429, {"Retry-After": "0.02"}, ""), (503, {}, ""), (429, {}, "slow down")]
    embedded(tmp_path, server, ["a"])
    assert server.texts == ["a"]
    assert "answered 429; the next one is in 0.0 seconds" in caplog.text


def test_server_that_is_busy_for_ever_ends_the_run_and_what_it_did_is_kept(tmp_path, server):
    server.failures = []
    embedded(tmp_path, server, ["a"])
    server.failures = [(429, {}, "")] * 3
    with pytest.raises(BusyServerError, match=r"answered 429, in 3 tries: .* `batch`.*is kept"):
        embedded(tmp_path, server, ["a", "b"], tries=3)
    embedded(tmp_path, server, ["a", "b"])
    assert server.texts == ["a", "b"]


def test_run_that_fails_midway_keeps_what_it_has_paid_for(tmp_path, server):
    def fail_after_two(answer):
        server.failures = [(400, {}, "no")] if len(server.requests) == 2 else []
        return answer

    server.change = fail_after_two
    with pytest.raises(EmbedError, match="answered 400: no"):
        embedded(tmp_path, server, ["a", "b", "c"], batch=1)
    embedded(tmp_path, server, ["a", "b", "c"], batch=1)
    assert server.texts == ["a", "b", "c"]


def test_server_that_asks_for_an_hour_ends_the_run_at_once(tmp_path, server):
    server.failures = [(429, {"Retry-After": "3600"}, "")]
    with pytest.raises(FactoryError, match="asks to wait 3,600 seconds"):
        embedded(tmp_path, server, ["a"])


def test_server_that_does_not_answer_is_told(tmp_path, server):
    server.go_on.clear()
    with pytest.raises(BusyServerError, match="did not answer within 1 seconds, in 1 tries"):
        embedded(tmp_path, server, ["a"], timeout=1, tries=1)


def test_run_that_would_cost_too_much_sends_nothing(tmp_path, server):
    with pytest.raises(EmbedError, match=r"about 251 tokens.*100.*`max_tokens`"):
        embedded(tmp_path, server, ["x" * 1000], max_tokens=100)
    assert not server.requests
    with pytest.raises(EmbedError, match="has counted 10 tokens"):
        embedded(tmp_path, server, ["a", "b", "c"], batch=1, max_tokens=5)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda answer: {"error": 1}, "does not answer as OpenAI"),
        (lambda answer: [], "does not answer as OpenAI"),
        (lambda answer: {"data": answer["data"][1:]}, "sent 1 vectors for 2 texts"),
        (
            lambda answer: {"data": [{"index": at, "embedding": [1] * (at + 2)} for at in (0, 1)]},
            "vectors of 2, 3 numbers instead of one size",
        ),
        (
            lambda answer: {"data": [{"index": at, "embedding": [float("nan")]} for at in (0, 1)]},
            "not finite",
        ),
    ],
)
def test_answer_that_is_no_vectors_is_told(tmp_path, server, change, said):
    server.change = change
    with pytest.raises(EmbedError, match=said):
        embedded(tmp_path, server, ["a", "b"])


def test_vectors_of_another_size_are_told(tmp_path, server):
    server.change = lambda answer: {"data": [{"index": 0, "embedding": [1.0, 2.0]}]}
    with pytest.raises(EmbedError, match=r"vectors of 2 numbers instead of 8, as `dimensions`"):
        embedded(tmp_path, server, ["a"], dimensions=8)
    server.change = lambda answer: answer
    embedded(tmp_path, server, ["a"])
    server.size = 5
    with pytest.raises(EmbedError, match="5 numbers now, and had 3 before"):
        embedded(tmp_path, server, ["a", "b"])


def test_texts_none_of_which_says_anything_need_dimensions(tmp_path, server):
    with pytest.raises(EmbedError, match="write `dimensions`"):
        embedded(tmp_path, server, [None])
    table = embedded(tmp_path, server, [None], dimensions=4)
    assert table["vector"].to_pylist() == [[0, 0, 0, 0]]
    assert not server.requests


def test_no_key_is_in_a_log_or_an_error(tmp_path, server, caplog):
    caplog.set_level(logging.DEBUG)
    server.failures = [(400, {}, f"Incorrect API key provided: {KEY}. You can find it …")]
    with pytest.raises(TerminalError) as raised:
        embedded(tmp_path, server, ["a"])
    assert KEY not in str(raised.value)
    assert "***" in str(raised.value)
    server.failures = [(401, {}, KEY)]
    with pytest.raises(TerminalError, match="connection 'embeddings' is no key") as raised:
        embedded(tmp_path, server, ["a"])
    assert KEY not in str(raised.value)
    assert KEY not in caplog.text


def test_server_of_the_workers_network_is_not_asked_unless_it_is_allowed(tmp_path, server):
    with pytest.raises(EmbedError, match="internal_hosts"):
        embedded(tmp_path, server, ["a"], hosts=())
    assert not server.keys


def test_redirect_is_not_followed(tmp_path, server):
    server.failures = [(307, {"Location": "http://169.254.169.254/"}, "")]
    with pytest.raises(EmbedError, match="answered 307"):
        embedded(tmp_path, server, ["a"])


def test_vectors_are_kept_in_an_object_store_too(tmp_path, server, s3, monkeypatch):
    monkeypatch.setenv(STORAGE, "s3")
    embedded(tmp_path, server, ["a", "b"])
    embedded(tmp_path, server, ["b", "c"])
    assert server.texts == ["a", "b", "c"]
    assert len([*lake_in(tmp_path).files.names("library/_vectors/")]) == 1
