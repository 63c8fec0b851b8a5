"""Files of sources that lie in an object store."""

import gzip
import json

import pytest
from pydantic import ValidationError

from factory.airflow import connections
from factory.base.errors import TerminalError
from factory.data.sources.csv import CsvSource
from factory.data.sources.json import JsonSource
from factory.data.sources.new_files import ChangedFileError, NewFiles
from factory.data.sources.object_stores import LakeIsNoSourceError, _pattern, fetch
from factory.lake.storage import access
from factory.lake.taken_files import TakenFiles
from tests.data.rows import read
from tests.data.sources.test_sources import Ingester
from tests.harness.s3 import BUCKET

LAKE = "s3://lake/prod"


@pytest.mark.parametrize(
    ("glob", "matched", "others"),
    [
        ("*.csv", ["a.csv", ".csv"], ["b/a.csv", "a.csvx", "acsv"]),
        ("**/a?.csv", ["a1.csv", "x/y/a1.csv"], ["a.csv", "x/a/1.csv"]),
        ("20[0-9][!0]/*.csv", ["2021/x.csv"], ["2020/x.csv", "2021/y/x.csv"]),
        ("a+b/*", ["a+b/x"], ["aab/x"]),
    ],
)
def test_globs_match_as_in_a_folder(glob, matched, others):
    pattern = _pattern(glob)
    assert [name for name in matched + others if pattern.fullmatch(name)] == matched


@pytest.mark.parametrize(
    "path",
    ["s3://B/a.csv", "s3://bucket", "s3://bucket/../x", "s3://b//x.csv", "s3://*/x.csv", "ftp://b/x"],
)  # fmt: skip
def test_what_is_no_address_of_an_object_store_is_a_problem(path):
    with pytest.raises(ValidationError, match="no address of an object store"):
        CsvSource(type="csv", path=path)


@pytest.mark.parametrize(
    "path", ["az://box/a/*.csv", "abfss://box@acct.dfs.core.windows.net/*.csv"]
)
def test_addresses_in_azure_are_some(path):
    assert CsvSource(type="csv", path=path).path == path


@pytest.mark.parametrize("path", ["data/a.csv", "gs://box/a.csv"])
def test_a_connection_is_for_s3(path):
    with pytest.raises(ValidationError, match="`connection` is for files in S3"):
        CsvSource(type="csv", path=path, connection="aws_other")


@pytest.mark.parametrize(
    "address", ["s3://lake/*.csv", "s3://lake/p*/a.csv", "s3://lake/prod/a.csv", "s3://lake/prod/**/*"]
)  # fmt: skip
def test_nothing_of_the_lake_is_fetched(tmp_path, address):
    with pytest.raises(LakeIsNoSourceError, match="read a dataset through `inputs`"):
        fetch(address, LAKE, tmp_path)


@pytest.fixture
def put(tmp_path, s3):
    """Puts objects into the bucket, and reads them."""
    reader = Ingester(tmp_path)

    def objects(**contents: bytes) -> Ingester:
        for name, content in contents.items():
            s3.client().put_object(Bucket=BUCKET, Key=f"in/{name.replace('__', '.')}", Body=content)
        return reader

    return objects


def test_files_of_an_object_store_are_read_as_those_of_a_folder(put):
    read_in = put(a__csv=b"n,x\n1,1\n", b__csv__gz=gzip.compress(b"n,x\n2,2.5\n"), c__txt=b"no")
    rows = read_in(CsvSource(type="csv", path=f"s3://{BUCKET}/in/*.csv*"))
    assert (rows.columns["x"], sorted(read(rows))) == ("DOUBLE", [(1, 1.0), (2, 2.5)])
    assert [file.name for file in read_in.workspace.iterdir()] == ["source.parquet"]


def test_one_file_of_an_object_store_is_named_in_errors(put):
    read_in = put(a__json=b'{"n": 1}\n', b__csv=b"n,x\n1,2,3\n")
    assert read(read_in(JsonSource(type="json", path=f"s3://{BUCKET}/in/a.json"))) == [(1,)]
    with pytest.raises(TerminalError, match=r"^b\.csv: .*Line: 2"):
        read_in(CsvSource(type="csv", path=f"s3://{BUCKET}/in/b.csv"))


def test_objects_that_are_not_there_are_told(put):
    read_in = put(a__csv=b"")
    with pytest.raises(TerminalError, match=r"no file matches s3://.*/in/\*\.parquet"):
        read_in(CsvSource(type="csv", path=f"s3://{BUCKET}/in/*.parquet"))
    with pytest.raises(TerminalError, match=r"a\.csv: empty"):
        read_in(CsvSource(type="csv", path=f"s3://{BUCKET}/in/a.csv"))
    with pytest.raises(TerminalError, match=r"no file b\.csv in s3://"):
        read_in(CsvSource(type="csv", path=f"s3://{BUCKET}/in/b.csv"))
    with pytest.raises(TerminalError, match=rf"s3://{BUCKET}/in is a folder: name its files"):
        read_in(CsvSource(type="csv", path=f"s3://{BUCKET}/in"))
    with pytest.raises(TerminalError, match=r"^s3://none/a\.csv: there is no such bucket: correct"):
        read_in(CsvSource(type="csv", path="s3://none/a.csv"))


def test_files_are_read_by_the_credentials_of_their_connection(put, s3, monkeypatch):
    read_in = put(a__csv=b"n\n1\n")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    extra = {"region_name": "us-east-1", "endpoint_url": s3.endpoint}
    monkeypatch.setenv(
        "AIRFLOW_CONN_AWS_OTHER",
        json.dumps({"conn_type": "aws", "login": "AKIA", "password": "secret", "extra": extra}),
    )
    source = CsvSource(type="csv", path=f"s3://{BUCKET}/in/a.csv", connection="aws_other")
    assert read(read_in(source, connections=connections)) == [(1,)]
    # Only while it reads them.
    assert access._access == []


def test_a_connection_that_is_not_there_is_named(put):
    read_in = put(a__csv=b"n\n1\n")
    source = CsvSource(type="csv", path=f"s3://{BUCKET}/in/a.csv", connection="aws_none")
    with pytest.raises(TerminalError, match="there is no Airflow connection 'aws_none'"):
        read_in(source, connections=connections)


def test_only_new_objects_are_fetched_and_a_changed_one_is_refused(put, s3, tmp_path):
    read_in = put(a__csv=b"n\n1\n")
    source = CsvSource(type="csv", path=f"s3://{BUCKET}/in/*.csv")
    first = NewFiles(None, takes_changed_ones=False)
    assert read(read_in(source, new_files=first)) == [(1,)]
    [mark] = [file.mark() for file in first.chosen]
    taken = TakenFiles({mark[:8]: mark[8:]})
    put(a__csv=b"n\n1\n", b__csv=b"n\n2\n")  # with another time, and the same content
    assert read(read_in(source, new_files=NewFiles(taken, takes_changed_ones=False))) == [(2,)]
    put(a__csv=b"n\n9\n")
    with pytest.raises(ChangedFileError, match=rf"^s3://{BUCKET}/in/a\.csv: this file has been"):
        read_in(source, new_files=NewFiles(taken, takes_changed_ones=False))
