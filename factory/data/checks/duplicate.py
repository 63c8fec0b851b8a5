"""`check: duplicate`."""

from typing import Literal

from factory.data.checks.check import Check, CheckedRows, CheckFinding


class Duplicate(Check):
    """No image is there twice, byte for byte."""

    check: Literal["duplicate"]

    def find(self, rows: CheckedRows) -> CheckFinding:
        """The rows whose image is in other rows too."""
        labels = "count(distinct label)" if "label" in rows.result.columns else "0"
        repeated = (
            rows.result.filter("image is not null")
            .aggregate(f"image, count(*) as n, {labels} as labels", "image")
            .filter("n > 1")
        )
        [(count, images, several)] = repeated.aggregate(
            "coalesce(sum(n), 0)::bigint, count(*), count(*) filter (labels > 1)"
        ).fetchall()
        if not count:
            return CheckFinding()
        message = f"{count:,} rows show {images:,} images"
        if several:
            message += f", {several:,} of them under several labels"
        twins = repeated.project("image").set_alias("twins")
        which = rows.result.set_alias("shown").join(twins, "image", "semi").order("image")
        return CheckFinding(message, count, rows.sample(which, ("path", "label")))

    def needed_columns(self) -> tuple[str, ...]:
        """The address of the bytes, which is made of their hash."""
        return ("image",)
