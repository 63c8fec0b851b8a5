"""Sources that go through Airflow connections."""

import json
import sqlite3
from collections.abc import Iterator
from datetime import date

import httpx
import pytest

from factory.airflow.connections import http_login, query_chunks
from factory.base.errors import TerminalError
from factory.data.download import DownloadError
from factory.data.rows import Chunk, write_pieces


@pytest.fixture
def warehouse(tmp_path, monkeypatch):
    path = tmp_path / "warehouse.db"
    with sqlite3.connect(path) as connection:
        connection.execute("create table landings (port text, weight_kg real)")
        rows = [(f"port {number % 3}", None if number < 4 else number) for number in range(10)]
        connection.executemany("insert into landings values (?, ?)", rows)
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", f"sqlite:///{path}")
    return path


def asked(query: str, chunk_rows: int = 50_000) -> Iterator[Chunk]:
    return query_chunks("warehouse", query, chunk_rows)


def test_query_comes_in_chunks_of_the_size_that_is_asked_for(warehouse):
    chunks = list(asked("select * from landings", 4))
    assert [len(chunk.rows) for chunk in chunks] == [0, 4, 4, 2]
    assert {tuple(chunk.columns) for chunk in chunks} == {("port", "weight_kg")}


def test_query_through_a_connection_becomes_rows_with_one_type_a_column(warehouse, tmp_path):
    chunks = asked("select * from landings", 3)
    rows = write_pieces(chunks, "the query", tmp_path / "rows.parquet")
    assert rows.rows == 10
    assert rows.columns == {"port": "VARCHAR", "weight_kg": "DOUBLE"}


def test_percent_and_colon_in_a_query_mean_themselves(warehouse):
    query = "select port from landings where port like 'port%' and port <> ':name'"
    assert sum(len(chunk.rows) for chunk in asked(query)) == 10


def test_connection_that_is_no_database_says_so_without_its_secrets(monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", "fs://user:geheim@/?path=/srv")
    with pytest.raises(TerminalError, match="no database connection") as error:
        list(asked("select 1"))
    assert "geheim" not in str(error.value)


def test_http_login_comes_from_the_connection_and_is_not_shown(monkeypatch):
    monkeypatch.setenv(
        "AIRFLOW_CONN_PORTAL",
        '{"conn_type": "http", "login": "ada", "password": "geheim", "host": "localhost", '
        '"extra": {"headers": {"X-Key": "auch geheim"}}}',
    )
    login = http_login("portal")
    assert (login.user, login.password) == ("ada", "geheim")
    assert login.headers == {"X-Key": "auch geheim"}
    assert "geheim" not in repr(login)
    assert login.host == "localhost"


@pytest.mark.parametrize(
    ("written", "host"),
    [
        ("api.example.org", "api.example.org"),
        ("https://API.example.org:8443/v1", "api.example.org"),
        ("https://anna:geheim@api.example.org", "api.example.org"),
        ("", None),
    ],
)
def test_login_is_for_the_server_that_its_connection_names(monkeypatch, written, host):
    monkeypatch.setenv(
        "AIRFLOW_CONN_PORTAL",
        json.dumps({"conn_type": "http", "host": written, "password": "geheim"}),
    )
    login = http_login("portal")
    assert login.host == host
    if host:
        login.check_host(httpx.URL("https://API.example.org/a.csv"), "portal")
        with pytest.raises(DownloadError, match=r"is not sent to evil\.example") as error:
            login.check_host(httpx.URL("https://evil.example/a.csv"), "portal")
        assert "geheim" not in str(error.value)


def test_parameter_reaches_the_database_beside_the_query(warehouse):
    query = (
        "select port from landings where weight_kg > :largest and port like 'port%' "
        "and port <> ':name' and '10:30' > '' -- :largest2"
    )
    chunks = query_chunks("warehouse", query, 10, {"largest": 7})
    assert sum(len(chunk.rows) for chunk in chunks) == 2
    none = query_chunks("warehouse", "select :largest is null as n", 10, {"largest": None})
    assert [list(map(tuple, chunk.rows)) for chunk in none] == [[], [(1,)]]


def test_postgresql_is_read_as_any_database(database, monkeypatch, tmp_path):
    database.query(
        "create table sales (id bigint, day date, sold numeric(8, 2))",
        "insert into sales select n, date '2024-01-01' + n, n / 4.0 from generate_series(1, 10) as n",
        "select 1",
    )
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(database.connection))
    query = "select id, day, sold from sales where day >= date '2024-01-08' - 2 order by id"
    chunks = list(asked(query, 2))
    assert [len(chunk.rows) for chunk in chunks if len(chunk.rows)] == [2, 2, 2]
    rows = write_pieces(iter(chunks), "the query", tmp_path / "rows.parquet")
    assert rows.columns == {"id": "BIGINT", "day": "DATE", "sold": "DECIMAL(38,2)"}
    newer = "select id from sales where cast(:largest as date) is null or day > :largest"
    for largest, count in ((None, 10), (date(2024, 1, 9), 2)):
        found = query_chunks("warehouse", newer, 100, {"largest": largest})
        assert sum(len(chunk.rows) for chunk in found) == count
