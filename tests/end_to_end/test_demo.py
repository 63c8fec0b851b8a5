"""`factory demo` as a newcomer runs it, and Airflow's Assets view in a real browser."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.harness.browser import browsing, needs_browser

REPOSITORY = Path(__file__).parents[2]
IMAGES = REPOSITORY / "docs" / "images"


@dataclass
class Demo:
    """A demo that was told to stay."""

    process: subprocess.Popen[str]
    output: str

    @property
    def airflow(self) -> str:
        """Airflow's address, as it is printed."""
        return re.findall(r"Airflow\s+(http://\S+)", self.output)[-1]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    project = tmp_path_factory.mktemp("demo")
    for name in ("dags", "configs"):
        shutil.copytree(
            REPOSITORY / name, project / name, ignore=shutil.ignore_patterns("__pycache__")
        )
    process = subprocess.Popen(
        [sys.executable, "-m", "factory", "demo", "--keep", "--project", str(project)],
        env={**os.environ, "COLUMNS": "200"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    lines = []
    assert process.stdout
    for line in process.stdout:
        lines.append(line)
        if "Ctrl-C stops everything" in line:
            break
    yield Demo(process, "".join(lines))
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    process.stdout.read()
    assert process.wait(timeout=60) == 0


def test_demo_shows_which_event_started_which_training_and_what_came_of_it(demo: Demo):
    assert demo.process.poll() is None, demo.output
    rows = [line.split() for line in demo.output.splitlines() if " snapshot " in line]
    table = {row[0]: row for row in rows}
    assert set(table) == {
        "marine.penguins",
        "clinic.diabetes",
        "ecology.species",
        "ecology.species_predictions",
    }, demo.output
    assert "ecology.species.predict" in table["ecology.species"]
    assert "ecology.species.monitor" in table["ecology.species_predictions"]
    assert "ecology.species.train" in table["marine.penguins"]
    assert table["marine.penguins"][-3:] == ["ecology.species", "version", "1"]
    assert table["clinic.diabetes"][-3:] == ["clinic.progression", "version", "1"]


@needs_browser
def test_assets_view_shows_producer_asset_and_consumer(demo: Demo):
    from playwright.sync_api import expect

    with browsing(height=640) as page:
        page.goto(f"{demo.airflow}/assets")
        page.get_by_role("link", name="marine.penguins").click()
        graph = page.get_by_test_id("rf__wrapper")
        producer = graph.get_by_test_id("rf__node-dag:marine.penguins")
        consumer = graph.get_by_test_id("rf__node-dag:ecology.species.train")
        asset = graph.locator("[data-testid^='rf__node-asset:']", has_text="marine.penguins")
        expect(producer).to_be_visible(timeout=30_000)
        expect(consumer).to_be_visible()
        expect(asset).to_be_visible()
        # Two arrows: from the producer to the asset, and from there to the consumer.
        node = (asset.get_attribute("data-testid") or "").removeprefix("rf__node-")
        for arrow in (f"dag:marine.penguins-{node}", f"{node}-dag:ecology.species.train"):
            expect(graph.get_by_test_id(f"rf__edge-{arrow}")).to_have_count(1)
        expect(page.get_by_text("Triggered Dag Run")).to_be_visible()
        if os.environ.get("REWRITE_GOLDEN"):
            page.screenshot(path=IMAGES / "assets.png")


@needs_browser
def test_teams_page_leads_from_a_model_to_its_version_and_its_dag(demo: Demo):
    with browsing(height=560) as page:
        page.goto(f"{demo.airflow}/plugin/teams")
        # The first page loads what it needs, MLflow's client among it.
        page.set_default_timeout(90_000)
        frame = page.frame_locator("iframe")
        species = frame.get_by_role("row").filter(
            has=frame.get_by_role("link", name="ecology.species", exact=True)
        )
        assert re.search(r"f1_macro 0\.\d+ none success", species.inner_text().replace("\t", " "))
        if os.environ.get("REWRITE_GOLDEN"):
            page.screenshot(path=IMAGES / "teams.png")
        species.get_by_role("link", name="ecology.species", exact=True).click()
        frame.get_by_text("there is no champion to beat").wait_for()
        if os.environ.get("REWRITE_GOLDEN"):
            page.set_viewport_size({"width": 1600, "height": 860})
            page.screenshot(path=IMAGES / "model.png")
        with page.context.expect_page() as opened:
            frame.get_by_role("row", name="champion").get_by_role("link").first.click()
        assert "#/models/ecology.species/versions/1" in opened.value.url
        frame.get_by_role("link", name="ecology.species.train").click()
        page.wait_for_url("**/dags/ecology.species.train**")


@needs_browser
def test_teams_page_pauses_a_dag_and_shows_rows_of_a_dataset(demo: Demo):
    with browsing() as page:
        page.set_default_timeout(90_000)
        page.goto(f"{demo.airflow}/factory/datasets/marine.penguins")
        assert page.get_by_role("cell", name="Torgersen").count() == 10
        page.get_by_role("button", name="Pause").click()
        page.get_by_role("button", name="Let it run").click()
        page.get_by_role("button", name="Pause").wait_for()
