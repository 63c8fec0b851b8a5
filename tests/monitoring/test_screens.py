"""The report of drift in a real browser."""

import os
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from factory.monitoring.comparison import findings_of
from factory.monitoring.drift import compare, kind_of
from factory.monitoring.history import MeasuredWindow
from factory.monitoring.measure import Measurement
from factory.monitoring.report import write_report
from factory.monitoring.sections import Monitor
from tests.harness.browser import browsing, needs_browser
from tests.training.models import penguins

IMAGES = Path(__file__).parents[2] / "docs" / "images"
COLUMNS = ("body_mass_g", "bill_length_mm", "island")

pytestmark = [needs_browser, pytest.mark.extras]


def heavier() -> Measurement:
    """A window in which the birds are half as heavy again."""
    before = penguins().to_pandas()
    now = before.assign(body_mass_g=before["body_mass_g"] * 1.5)
    monitor = Monitor()
    columns = tuple(
        compare(name, before[name], now[name], monitor.drift, kind=kind_of(before[name]))
        for name in COLUMNS
    )
    return Measurement(
        model="ecology.species",
        version=2,
        window={"marine.penguins": 8},
        reference={"marine.penguins": 3},
        reference_rows=len(before),
        current_rows=len(now),
        columns=columns,
        left_out={"ring": "tells rows apart"},
        prediction=None,
        quality=None,
        findings=tuple(findings_of(monitor, columns, (), None)),
        counts=True,
    )


def test_report_has_its_columns_and_plots_and_asks_nobody(tmp_path):
    noon = datetime(2026, 11, 27, 12, tzinfo=UTC).timestamp() * 1000
    earlier = MeasuredWindow("a" * 32, 2, "marine.penguins 7", False, True, "", int(noon))
    write_report(heavier(), [earlier], tmp_path)
    asked: list[str] = []
    with browsing(width=1000, height=900) as page:
        page.on("request", lambda request: asked.append(request.url))
        page.goto((tmp_path / "report.html").as_uri())
        assert page.get_by_text("Breached.").is_visible()
        rows = page.get_by_role("row").filter(has_text="drifted")
        assert [row.get_by_role("cell").first.inner_text() for row in rows.all()] == ["body_mass_g"]
        assert page.get_by_text("ring (tells rows apart)").is_visible()
        assert page.get_by_text("2026-11-27 12:00").is_visible()
        pictures = page.get_by_role("img").all()
        assert len(pictures) == len(COLUMNS)
        assert all(one.evaluate("image => image.naturalWidth > 0") for one in pictures)
        if os.environ.get("REWRITE_GOLDEN"):
            page.screenshot(path=IMAGES / "drift.png")
    assert {urlsplit(url).scheme for url in asked} <= {"file", "data"}
