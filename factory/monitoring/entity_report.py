"""A window of a model with one for each entity as a page for people: a table of all, and plots of the worst ones."""

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from factory.monitoring.entities import EntitiesMeasurement, EntityMeasurement
from factory.monitoring.history import MeasuredWindow, label_of
from factory.monitoring.report import MEASUREMENT, REPORT, plot, template

TABLE = "entities.csv"

_MOST_DRAWN = 5
"""Entities that have plots, the worst ones."""
_PLOTS_OF_ONE = 4


def write_entity_report(
    found: EntitiesMeasurement, windows: Sequence[MeasuredWindow], folder: Path
) -> None:
    """Write `report.html`, and the same for programs: `entities.csv`, and all numbers in `measurement.json`.

    Args:
        found: What was measured.
        windows: The windows before, the newest first.
        folder: Where the files go; made if it is not there.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    drawn = found.breached[:_MOST_DRAWN]
    text = template("entity_report.html.jinja").render(
        found=found,
        label=label_of(found.window),
        plots=[(one, list(_plots(one))) for one in drawn],
        left_out=len(found.breached) - len(drawn),
        windows=windows,
        table=TABLE,
    )
    (folder / REPORT).write_text(text, encoding="utf-8")
    (folder / MEASUREMENT).write_text(found.model_dump_json(), encoding="utf-8")
    (folder / TABLE).write_text(_csv(found), encoding="utf-8")


def _plots(one: EntityMeasurement) -> Iterator[tuple[str, str]]:
    for column in one.compared[:_PLOTS_OF_ONE]:
        yield column.column, plot(column)


def _csv(found: EntitiesMeasurement) -> str:
    """A row for each model that was measured or has failed, with what differs and how good it was."""
    metrics = dict.fromkeys(
        name for one in found.measured if one.quality for name in one.quality.metrics
    )
    text = io.StringIO()
    head = [
        found.column,
        "model",
        "version",
        "rows",
        "reference_rows",
        "verdict",
        "drift",
        "findings",
    ]
    writer = csv.writer(text)
    writer.writerow([*head, "rows_with_truth", *metrics])
    for label, why in found.failed.items():
        writer.writerow([label, "", "", "", "", "failed", "", why])
    for one in found.measured:
        of_truth = one.quality.metrics if one.quality else {}
        writer.writerow(
            [
                *(one.label, one.model, one.version, one.current_rows, one.reference_rows),
                *(one.verdict, one.worst, "; ".join(one.findings)),
                one.quality.rows if one.quality else "",
                *(of_truth.get(name, "") for name in metrics),
            ]
        )
    return text.getvalue()
