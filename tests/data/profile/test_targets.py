"""What can be named to be looked at, within which limits, and what is said of what cannot."""

import gzip
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pandas as pd
import pytest

from factory.base.errors import FactoryError
from factory.catalog import check_project
from factory.data.profile.inspection import Limits
from factory.data.profile.targets import Asked, Project, inspect
from tests.data.profile.project import InspectedProject, kinds, section
from tests.data.sources.test_excel import workbook
from tests.harness.produce import produce
from tests.harness.s3 import BUCKET
from tests.harness.servers import answering

TABLE = "id,name\n" + "".join(f"{n},n{n % 3}\n" for n in range(60))
ROWS = [{"id": n, "name": f"n{n % 3}", "tags": [n], "at": "2024-01-02"} for n in range(60)]


@pytest.fixture
def project(tmp_path) -> InspectedProject:
    return InspectedProject(tmp_path)


def types(found) -> dict[str, str]:
    return {column.name: column.kind for column in found.columns}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("rows.json", json.dumps(ROWS)),
        ("rows.jsonl", "\n".join(map(json.dumps, ROWS))),
        ("rows.jsonl.gz", gzip.compress("\n".join(map(json.dumps, ROWS)).encode(), mtime=0)),
        ("rows", json.dumps(ROWS)),
    ],
)
def test_json_is_looked_at(project, name, content):
    found = project.look(content, name)
    assert types(found) == {"id": "BIGINT", "name": "VARCHAR", "tags": "BIGINT[]", "at": "DATE"}
    assert section(found)["source"] == {"type": "json", "path": f"data/{name}"}
    dataset = project.accept(found)
    assert not check_project(project.folder / "configs", environment=None, active=None)
    published = produce(project.folder, dataset, project.lake, project.folder / "workspace")
    assert published.snapshot.columns == types(found)


def test_parquet_is_looked_at(project):
    pd.DataFrame(ROWS).to_parquet(project.folder / "data" / "rows.parquet")
    found = project.inspect(str(project.folder / "data" / "rows.parquet"))
    assert (found.rows, section(found)["source"]) == (
        60,
        {"type": "parquet", "path": "data/rows.parquet"},
    )


def test_files_of_a_glob_are_one_table(project, monkeypatch):
    for day in range(3):
        project.write(f"2024-01-0{day + 1}.csv", TABLE)
    monkeypatch.chdir(project.folder)
    found = project.inspect("data/*.csv")
    assert (found.rows, found.files, section(found)["source"]["path"]) == (180, 3, "data/*.csv")
    # A shell gives the files themselves.
    again = project.inspect("data/2024-01-01.csv", "data/2024-01-02.csv", "data/2024-01-03.csv")
    assert again.yaml == found.yaml


def test_files_that_are_written_differently_are_no_table(project):
    project.write("a.csv", "id,n\n1,2\n")
    project.write("b.csv", "id;n\n1;2\n")
    with pytest.raises(
        FactoryError, match=r"a\.csv has ',' between its columns, and b\.csv has ';'"
    ):
        project.inspect(str(project.folder / "data" / "*.csv"))


def test_snapshot_is_looked_at_by_its_version(project):
    project.write("table.csv", TABLE)
    dataset = project.accept(project.inspect(str(project.folder / "data" / "table.csv")))
    produce(project.folder, dataset, project.lake, project.folder / "workspace")
    project.write("table.csv", TABLE + "60,n0\n")
    produce(project.folder, dataset, project.lake, project.folder / "workspace")
    assert project.inspect(dataset).rows == 61
    found = project.inspect(dataset, version=0)
    assert found.rows == 60
    assert found.notes[0].startswith("version 0, published ")
    assert section(found)["source"] == {"type": "dataset", "dataset": "table.table"}
    with pytest.raises(FactoryError, match="has no version 7: its newest versions are 1, 0"):
        project.inspect(dataset, version=7)
    with pytest.raises(FactoryError, match=r"other\.table"):
        project.inspect("other.table")


def test_file_outside_the_project_is_to_be_copied_first(project, tmp_path_factory):
    file = tmp_path_factory.mktemp("elsewhere") / "table.csv"
    file.write_text(TABLE)
    found = project.inspect(str(file))
    assert section(found)["source"]["path"] == "data/table.csv"
    assert "# copy the file there first: sources read below data" in found.yaml


class _Table(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(gzip.compress(TABLE.encode()))

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def address(project: InspectedProject, url: str, *internal_hosts: str):
    place = Project(project.folder, ("data",), internal_hosts, lambda: pytest.fail("no lake"))
    return inspect([url], Asked(), place)


def test_address_is_looked_at_where_sources_may_ask_its_server(project):
    with answering(ThreadingHTTPServer(("127.0.0.1", 0), _Table)) as server:
        url = f"http://127.0.0.1:{server.server_port}/export/table.csv.gz"
        found = address(project, url, "127.0.0.1")
        assert found.rows == 60
        assert section(found)["source"] == {"type": "http", "url": url, "compression": "gzip"}
        with pytest.raises(FactoryError, match="which a team file may not name unless"):
            address(project, url)


def test_secret_of_an_address_is_neither_shown_nor_written(project):
    with answering(ThreadingHTTPServer(("127.0.0.1", 0), _Table)) as server:
        at = f"127.0.0.1:{server.server_port}/table.csv"
        found = address(project, f"http://{at}?token=s3cr3t-0123456789", "127.0.0.1")
    assert section(found)["source"]["url"] == f"http://{at}"
    assert "put it into a `connection` of Airflow" in found.yaml
    assert "s3cr3t" not in json.dumps(found.as_json())


@pytest.mark.parametrize(
    ("content", "name", "told"),
    [
        ("", "a.csv", "is empty, without even a header"),
        (" \n\n", "a.csv", "is empty, without even a header"),
        (b"PK\x03\x04rest", "a.xlsx", "a.xlsx is broken"),
        (b"PK\x03\x04rest", "a.csv", "an archive or a workbook"),
        (b"\x00\x01\x02\x03" * 9, "a.csv", "is no text"),
        (b"\x1f\x8bnothing", "a.csv.gz", "cannot be read"),
        ("id,ID\n1,2\n", "a.csv", "the columns 'id' and 'ID', which are the same to SQL"),
        ("{no json", "a.json", "a.json"),
        ("no parquet", "a.parquet", "a.parquet"),
    ],
)
def test_what_cannot_be_read_is_told(project, content, name, told):
    with pytest.raises(FactoryError) as error:
        project.look(content, name)
    assert told in str(error.value)
    assert "sample0" not in str(error.value)


def test_broken_line_is_named(project):
    rows = "".join(f"{n},{n}\n" for n in range(50))
    with pytest.raises(FactoryError, match="Line: 52"):
        project.look(f"id,n\n{rows}7,8,9\n{rows}")


@pytest.mark.parametrize("name", ["data", "missing.csv", "data/*.tsv"])
def test_what_is_not_there_is_told(project, name, monkeypatch):
    monkeypatch.chdir(project.folder)
    with pytest.raises(FactoryError, match=r"is a folder|there is no file"):
        project.inspect(name)


def test_of_large_files_the_first_part_is_looked_at_and_it_is_said(project):
    text = "id,name\n" + "".join(f'{n},"a\nb{n % 3}"\n' for n in range(300_000))
    found = project.inspect(project.write("large.csv", text), limits=Limits(bytes=2_000_000))
    assert 0 < found.rows < 300_000
    assert not found.is_whole
    assert any("only the first" in note for note in found.notes)
    assert types(found) == {"id": "BIGINT", "name": "VARCHAR"}
    assert "unique" not in found.yaml
    assert "row_count" not in found.yaml


def test_packed_file_that_unpacks_to_anything_stays_within_limits(project):
    bomb = gzip.compress(
        b"id,name\n" + b"1,aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n" * 400_000
    )
    assert len(bomb) < 200_000
    found = project.inspect(project.write("bomb.csv.gz", bomb), limits=Limits(bytes=2_000_000))
    assert found.rows < 60_000


def test_of_large_workbooks_the_first_rows_are_looked_at_and_it_is_said(project):
    rows = [[n, f"a{n % 3}", "NA" if n == 1500 else n / 4] for n in range(3000)]
    file = project.write("large.xlsx", workbook(["id", "name", "price"], *rows))
    found = project.inspect(file, limits=Limits(rows_of_workbooks=2000))
    assert (found.rows, found.is_whole) == (2000, False)
    assert any("only the first 2,000 rows" in note for note in found.notes)
    # What is beyond the rows that options are tried on first counts too.
    assert section(found)["source"]["null_values"] == ["", "NA"]
    assert types(found) == {"id": "BIGINT", "name": "VARCHAR", "price": "DOUBLE"}
    whole = project.inspect(file, limits=Limits(rows_of_workbooks=4000))
    assert (whole.rows, whole.is_whole) == (3000, True)


def test_rows_of_other_formats_are_limited_too(project):
    pd.DataFrame({"n": range(1000)}).to_parquet(project.folder / "data" / "n.parquet")
    found = project.inspect(str(project.folder / "data" / "n.parquet"), limits=Limits(rows=100))
    assert (found.rows, found.is_whole) == (100, False)


def test_names_that_a_team_file_cannot_have_are_renamed(project):
    frame = pd.DataFrame({"__index_level_0__": range(60), " size ": range(60), "fine": range(60)})
    frame.to_parquet(project.folder / "data" / "t.parquet")
    found = project.inspect(str(project.folder / "data" / "t.parquet"))
    assert list(section(found)["columns"]) == ["index_level_0__", "size", "fine"]
    dataset = project.accept(found)
    assert not check_project(project.folder / "configs", environment=None, active=None)
    published = produce(project.folder, dataset, project.lake, project.folder / "workspace")
    assert published.snapshot.columns == section(found)["columns"]


EVIL = [
    "{{ conn.x }}",
    "{% raw",
    "null",
    "yes",
    "1",
    "- a",
    "a: b",
    "#c",
    "'",
    '"',
    "na\x1bme",
    "\u202eabc",
    "<b>",
]


@pytest.mark.parametrize("name", EVIL)
def test_names_and_values_of_any_kind_make_a_team_file_that_validates(project, name):
    values = [name, "other"] * 20
    pd.DataFrame({name: values, "n": range(40)}).to_parquet(project.folder / "data" / "t.parquet")
    found = project.inspect(str(project.folder / "data" / "t.parquet"))
    assert list(section(found)["columns"]) == [name, "n"]
    dataset = project.accept(found)
    assert not check_project(project.folder / "configs", environment=None, active=None)
    published = produce(project.folder, dataset, project.lake, project.folder / "workspace")
    assert published.snapshot.columns == section(found)["columns"]
    assert not kinds(found) - {("n", "identifier"), (name, "missing_as_text")}


def test_nothing_is_written_beside_what_is_looked_at(project):
    file = Path(project.write("table.csv", TABLE))
    before = sorted(project.folder.rglob("*"))
    project.inspect(str(file))
    assert sorted(project.folder.rglob("*")) == before


def test_workbook_is_looked_at_and_can_be_read_as_it_is_written(project):
    rows = [
        [n, f"{n + 2000:05}", "n/a" if n == 5 else "#N/A" if n == 7 else n / 4] for n in range(40)
    ]
    found = project.look(workbook(["Export"], [], ["id", "zip", "price"], *rows), "b.xlsx")
    assert types(found) == {"id": "BIGINT", "zip": "VARCHAR", "price": "DOUBLE"}
    assert section(found)["source"] == {
        "type": "excel", "path": "data/b.xlsx", "skip": 2, "null_values": ["", "#N/A", "n/a"],
    }  # fmt: skip
    dataset = project.accept(found)
    assert not check_project(project.folder / "configs", environment=None, active=None)
    published = produce(project.folder, dataset, project.lake, project.folder / "workspace")
    assert published.snapshot.columns == types(found)


@pytest.mark.parametrize("header", ["id     name    paid  day\n", ""])
def test_columns_of_fixed_width_are_found_by_the_blanks_between_them(project, header):
    text = header + "".join(
        f"{n:05}  N{n % 3:<5} {n * 1.5:>6.2f}  {n % 28 + 1:02}.01.2024\n".replace(".", ",", 1)
        for n in range(40)
    )
    file = project.write("a.txt", text)
    found = project.inspect(file, format="fixed_width")
    names = ["id", "name", "paid", "day"] if header else [f"column{at}" for at in range(4)]
    source = section(found)["source"]
    assert dict(zip(names, ["VARCHAR", "VARCHAR", "DOUBLE", "DATE"], strict=True)) == types(found)
    assert list(source["fields"]) == names
    assert (source["decimal"], source.get("skip", 0)) == (",", bool(header))
    dataset = project.accept(found)
    published = produce(project.folder, dataset, project.lake, project.folder / "workspace")
    assert (published.snapshot.columns, published.snapshot.rows) == (types(found), 40)


@pytest.fixture(params=["s3", "gcs"])
def put(request, s3):
    """Puts objects into a bucket; the address of its folder `in`."""

    def objects(**contents: bytes) -> str:
        for name, content in contents.items():
            s3.client().put_object(Bucket=BUCKET, Key=f"in/{name.replace('__', '.')}", Body=content)
        if request.param == "gcs":
            request.getfixturevalue("gcs")
        return f"{'gs' if request.param == 'gcs' else 's3'}://{BUCKET}/in"

    return objects


def test_objects_are_looked_at_and_can_be_read_as_it_is_written(project, put):
    other = {"c__json": json.dumps(ROWS).encode(), "d": TABLE.encode(), "e__txt": b"no"}
    at = put(a__csv=TABLE.encode(), b__csv__gz=gzip.compress(TABLE.encode()), **other)
    found = project.inspect(f"{at}/*.csv*")
    assert (found.rows, found.files, found.label) == (120, 2, f"{at}/*.csv*")
    assert section(found)["source"] == {"type": "csv", "path": f"{at}/*.csv*"}
    assert types(project.inspect(f"{at}/d")) == {"id": "BIGINT", "name": "VARCHAR"}
    found = project.inspect(f"{at}/c.json")
    assert section(found)["source"] == {"type": "json", "path": f"{at}/c.json"}
    dataset = project.accept(found)
    assert not check_project(project.folder / "configs", environment=None, active=None)
    published = produce(project.folder, dataset, project.lake, project.folder / "workspace")
    assert published.snapshot.columns == types(found)


def test_objects_that_cannot_be_looked_at_are_told(project, put, monkeypatch):
    at = put(a__csv=TABLE.encode(), b__csv=b"")
    scheme = at.partition("://")[0]
    for address, told in {
        f"{at}/c.csv": "there is no file c.csv in",
        f"{at}/c*.csv": "no file matches",
        f"{at}/b.csv": "b.csv: empty, without even a header",
        at: "is a folder: name its files, such as",
        f"{at}/": "is no address of an object store: write one such as",
        f"{scheme}://other/a.csv": "there is no such bucket: correct the path",
    }.items():
        with pytest.raises(FactoryError, match=told.replace(".", r"\.")):
            project.inspect(address)
    with pytest.raises(FactoryError, match="of several addresses one is looked at"):
        project.inspect(f"{at}/a.csv", f"{at}/b.csv")
    monkeypatch.setattr("factory.data.profile.targets._MOST_FETCHED", 100)
    with pytest.raises(FactoryError, match="means 358 bytes, and at most 100 are fetched"):
        project.inspect(f"{at}/a*.csv")
