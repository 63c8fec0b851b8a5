"""A window as a page for people: one HTML file that needs nothing beside it."""

import base64
import io
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from matplotlib import pyplot as plt

from factory.monitoring.drift import ColumnDrift
from factory.monitoring.history import MeasuredWindow, label_of
from factory.monitoring.measure import Measurement

REPORT = "report.html"
MEASUREMENT = "measurement.json"
_MOST_PLOTS = 20
_LONGEST_LABEL = 14
_LONGEST_TITLE = 40


def write_report(found: Measurement, windows: Sequence[MeasuredWindow], folder: Path) -> None:
    """Write `report.html`, and `measurement.json` with the same for programs.

    Args:
        found: What was measured.
        windows: The windows before, the newest first.
        folder: Where the files go; made if it is not there.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    rows = [*found.predictions, *found.columns]
    drawn = rows[:_MOST_PLOTS]
    text = template("report.html.jinja").render(
        found=found,
        label=label_of(found.window),
        rows=rows,
        plots=[(column.column, plot(column)) for column in drawn],
        left_out=len(rows) - len(drawn),
        windows=windows,
    )
    (folder / REPORT).write_text(text, encoding="utf-8")
    (folder / MEASUREMENT).write_text(found.model_dump_json(indent=2), encoding="utf-8")


def template(name: str) -> Template:
    """A template of this folder."""
    environment = Environment(
        loader=PackageLoader("factory.monitoring", "."), autoescape=True, undefined=StrictUndefined
    )
    return environment.get_template(name)


def plot(column: ColumnDrift) -> str:
    """The shares of rows in each bin, both sides beside each other, as base64 of a PNG."""
    figure, axes = plt.subplots(figsize=(5, 2.4), layout="constrained")
    places = np.arange(len(column.bins))
    sides = (
        ("reference", [one.reference for one in column.bins], column.reference_rows, -0.2),
        ("current", [one.current for one in column.bins], column.current_rows, 0.2),
    )
    for name, counts, rows, shift in sides:
        shares = 100 * np.array(counts) / max(rows, 1)
        axes.bar(places + shift, shares, width=0.4, label=name)
    labels = [_shortened(one.label) for one in column.bins]
    axes.set_xticks(places, labels, rotation=60, ha="right", fontsize=7)
    axes.tick_params(axis="y", labelsize=7)
    axes.set_ylabel("% of rows", fontsize=7)
    title = _shortened(column.column, _LONGEST_TITLE) + (" (drifted)" if column.drifted else "")
    axes.set_title(title, fontsize=9, loc="left")
    # Above the bars, which may be high anywhere.
    axes.legend(
        fontsize=7, loc="lower right", bbox_to_anchor=(1, 1), ncols=2, frameon=False, borderpad=0
    )
    content = io.BytesIO()
    # Without the version of matplotlib in it, equal windows make equal plots.
    figure.savefig(content, format="png", dpi=80, metadata={"Software": None})
    plt.close(figure)
    return base64.b64encode(content.getvalue()).decode()


def _shortened(label: str, longest: int = _LONGEST_LABEL) -> str:
    return label if len(label) <= longest else f"{label[: longest - 1]}…"
