"""Checks of pictures that look at many rows together."""

from dataclasses import dataclass

from duckdb import DuckDBPyRelation

from factory.data.checks.conditions import within
from factory.data.checks.sections import LabelCount
from factory.lake.engine import quote

_SHOWN = 10


def uneven_labels(rows: DuckDBPyRelation, check: LabelCount) -> str:
    """Which labels have too few rows, or too many; empty where none has.

    A label that no row has is not known of, and so has not too few.
    """
    label = quote(check.column)
    counted = rows.filter(f"{label} is not null").aggregate(f"{label}, count(*) as n", label)
    found = counted.order(f"n, {label}").fetchall()
    if not found:
        return "no row has a label"
    wrong = [(name, count) for name, count in found if not within(check, count)]
    if not wrong:
        return ""
    shown = ", ".join(f"{name} ({count:,})" for name, count in wrong[:_SHOWN])
    more = f" and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
    return f"{len(wrong)} of {len(found)} labels: {shown}{more}"


@dataclass(frozen=True)
class SamePictures:
    """Rows that show what other rows show too."""

    rows: int
    message: str
    which: DuckDBPyRelation


def same_pictures(rows: DuckDBPyRelation) -> SamePictures | None:
    """The rows whose picture is in other rows too, byte for byte; None if there are none."""
    labels = "count(distinct label)" if "label" in rows.columns else "0"
    repeated = (
        rows.filter("image is not null")
        .aggregate(f"image, count(*) as n, {labels} as labels", "image")
        .filter("n > 1")
    )
    [(count, pictures, several)] = repeated.aggregate(
        "coalesce(sum(n), 0)::bigint, count(*), count(*) filter (labels > 1)"
    ).fetchall()
    if not count:
        return None
    message = f"{count:,} rows show {pictures:,} pictures"
    if several:
        message += f", {several:,} of them under several labels"
    twins = repeated.project("image").set_alias("twins")
    which = rows.set_alias("shown").join(twins, "image", "semi").order("image")
    return SamePictures(count, message, which)
