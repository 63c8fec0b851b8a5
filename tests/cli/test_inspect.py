"""`factory inspect`, as a person calls it.

What it prints for `tests/cli/inspect/orders.csv` lies beside that file, and in docs/inspect.md. After
`pytest tests/cli/test_inspect.py --rewrite-golden` read the changes.
"""

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from factory.cli import console as shared
from factory.cli.main import app

GOLDEN = Path(__file__).parent / "inspect"
PAGE = Path(__file__).parents[2] / "docs" / "inspect.md"
WIDTH = 100


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    monkeypatch.delenv("FACTORY_STORAGE", raising=False)
    monkeypatch.setattr(shared, "console", shared.Console(width=WIDTH))
    for name in ("configs", "data"):
        (tmp_path / name).mkdir()
    shutil.copy(GOLDEN / "orders.csv", tmp_path / "data" / "orders.csv")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def inspect(*arguments: str):
    return CliRunner().invoke(app, ["inspect", *arguments])


def without_ends(text: str) -> str:
    """The text without the blanks that fill up its lines."""
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


@pytest.mark.parametrize(
    ("arguments", "golden"), [((), "terminal.txt"), (("--yaml",), "orders.yaml")]
)
def test_output_is_as_the_golden_one(project, arguments, golden, request):
    done = inspect("data/orders.csv", *arguments)
    assert done.exit_code == 0, done.output
    file = GOLDEN / golden
    found = without_ends(done.stdout)
    if request.config.getoption("--rewrite-golden"):
        file.write_text(found)
        block = r"(?<=\$ factory inspect data/orders.csv\n).*?(?=^```)"
        if golden == "terminal.txt":
            page = re.sub(block, lambda _: found, PAGE.read_text(), flags=re.DOTALL | re.MULTILINE)
            PAGE.write_text(page)
    assert found == file.read_text()


def test_documentation_shows_what_is_printed():
    assert (
        f"$ factory inspect data/orders.csv\n{(GOLDEN / 'terminal.txt').read_text()}```"
        in PAGE.read_text()
    )


def test_yaml_alone_is_a_team_file_that_validates(project):
    (project / "configs" / "orders.yaml").write_text(inspect("data/orders.csv", "--yaml").stdout)
    done = CliRunner().invoke(app, ["validate"])
    assert (done.exit_code, done.stdout) == (0, "1 team file: no problems\n")


def test_team_and_dataset_can_be_named(project):
    done = inspect("data/orders.csv", "--yaml", "--team", "sales", "--name", "web_orders")
    found = yaml.safe_load(done.stdout)
    assert (found["team"], list(found["datasets"])) == ("sales", ["web_orders"])
    assert inspect("data/orders.csv", "--team", "No Name").exit_code == 2


def test_json_has_facts_and_reasons(project):
    found = json.loads(inspect("data/orders.csv", "-o", "json").stdout)
    weight = next(column for column in found["columns"] if column["name"] == "weight")
    assert (weight["kind"], weight["reason"]) == ("DOUBLE", "95.83 % numbers, 5 × 'NA'")
    assert (weight["facts"]["nulls"], weight["facts"]["distinct"]) == (5, 42)
    assert found["dialect"]["skip"]["value"] == 1


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ("missing.csv", "error: there is no file missing.csv"),
        ("data", "error: data is a folder: name its files, such as 'data/*.csv'"),
        ("nobody.nothing", "error: nobody.nothing"),
        (
            "http://127.0.0.1:9/a.csv",
            "which a team file may not name unless the platform allows it",
        ),
        ("ftp://host/a.csv", "is no address of an object store"),
    ],
)
def test_what_cannot_be_looked_at_is_one_line(project, what, told):
    done = inspect(what)
    assert done.exit_code == 1
    assert told in done.stderr
    assert done.stderr.count("\n") == 1


EVIL = "id,<script>alert(1)</script>,na\x1b]0;me\n" + "".join(
    f"{n},<b onclick=x>&{n % 2},\x1b[31mred\x1b[0m\x07\u202e{n % 3}\n" for n in range(60)
)


class Tags(HTMLParser):
    """The names of the tags of a page, and the addresses in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list) -> None:
        self.names.add(tag)
        self.attributes |= {name for name, _ in attributes}


def test_nothing_in_a_file_is_obeyed_by_a_terminal_or_a_browser(project):
    (project / "data" / "evil.csv").write_text(EVIL)
    done = inspect("data/evil.csv", "--html", "evil.html")
    page = (project / "evil.html").read_text()
    for text in (done.stdout, page):
        assert not set(text) & {"\x1b", "\x07", "\u202e"}
        assert r"\x1b[31mred" in text
    tags = Tags(page)
    assert not tags.names & {"script", "b", "img", "iframe", "object"}
    assert not tags.attributes & {"onclick", "src", "href"}


def test_page_needs_nothing_beside_it_and_is_small(project):
    done = inspect("data/orders.csv", "--html", "orders.html")
    assert "The same as a page: orders.html" in done.stdout
    page = (project / "orders.html").read_text()
    assert not re.findall(r"https?:|url\(|@import", page)
    assert "default-src &#39;none&#39;" in page or "default-src 'none'" in page
    assert "prefers-color-scheme: dark" in page
    assert len(page) < 40_000
    for told in ("goes up and down with", "null_values", "95.83 % numbers"):
        assert told in page


def test_page_that_cannot_be_written_is_told(project):
    done = inspect("data/orders.csv", "--html", "data/orders.csv/page.html")
    assert done.exit_code == 1
    assert "data/orders.csv/page.html cannot be written" in done.stderr


def test_outside_of_a_project_a_file_is_looked_at_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copy(GOLDEN / "orders.csv", tmp_path / "orders.csv")
    done = inspect("orders.csv")
    assert done.exit_code == 0, done.output
    assert "copy the file there first" in done.stdout
