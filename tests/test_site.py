"""The site of the documentation: built strictly, whole, and readable without a network."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
DOCS = PROJECT / "docs"


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """Built as `make docs` does: links and anchors that lead nowhere, and pages without a place, end it."""
    folder = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", folder],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    return folder


def test_every_page_is_there_and_can_be_searched(site):
    pages = {page.relative_to(DOCS).with_suffix("") for page in DOCS.rglob("*.md")}
    missing = [
        page
        for page in pages
        if not (site / page.parent / page.name.replace("README", "index"))
        .with_suffix(".html")
        .exists()
    ]
    assert missing == []
    assert "asset_triggered" in (site / "search" / "search_index.json").read_text()


def test_pages_load_nothing_from_other_servers(site):
    loaded = re.compile(r"<(?:script|img|link|iframe)[^>]*(?:src|href)=\"?(?:https?:)?//[^ >]*")
    found = {one for page in site.rglob("*.html") for one in loaded.findall(page.read_text())}
    assert found == set()
    # Material fetches the script of flowcharts from elsewhere as soon as a page has one.
    assert not [page for page in site.rglob("*.html") if 'class="mermaid"' in page.read_text()]


def test_links_that_leave_the_documentation_lead_to_the_repository(site):
    page = (site / "architecture.html").read_text()
    repository = "https://github.com/ml-dag-factory/ml-dag-factory"
    assert f'href="{repository}/blob/main/CONTRIBUTING.md#recipes"' in page
    assert f'href="{repository}/tree/main/examples/plugin"' in page
