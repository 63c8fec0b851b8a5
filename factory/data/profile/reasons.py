"""Why a column has its type, in words."""

from factory.base.texts import either, in_quotes
from factory.data.profile.facts import ColumnFacts
from factory.data.profile.suspicions import Doubtful, Kind
from factory.data.sources.text_doubts import AmbiguousDatesError, Doubt, percent

_SHOWN = 3


def doubt_of_reading(doubt: Doubt) -> Doubtful:
    """A column that is numbers or dates but for a few values: `98.9 % numbers, 11 × 'NA'`."""
    shown_values = ", ".join(
        f"{count:,} × {in_quotes(value, 16)}" for value, count in doubt.found[:_SHOWN]
    )
    more = doubt.different - len(doubt.found[:_SHOWN])
    others = f" and {more:,} other {'value' if more == 1 else 'values'}" if more > 0 else ""
    kind: Kind = "dates_as_text" if doubt.is_about_dates else "numbers_as_text"
    if doubt.is_about_truths:
        kind = "missing_as_text"
    share = (
        f"{percent(doubt.share)} {doubt.what}" if doubt.share else f"{doubt.what} with other signs"
    )
    found = f", {shown_values}{others}" if doubt.found else ""
    return Doubtful(kind, f"{share}{found}", doubt.advice)


def doubt_of_format(value: str, form: str) -> Doubtful:
    """A column of dates whose format would not read the other columns of dates."""
    text = (
        f"dates such as {in_quotes(value, 20)}, written as {form}, and others are written otherwise"
    )
    return Doubtful("dates_as_text", text, f"read it in a transform: `strptime(…, '{form}')::date`")


def doubt_of_dates(error: AmbiguousDatesError) -> Doubtful:
    """A column of dates that can be read in several ways."""
    key = "timestamp_format" if "%H" in error.formats[0] else "date_format"
    text = (
        f"dates such as {in_quotes(error.example, 20)}, which can be {either(list(error.formats))}"
    )
    return Doubtful(
        "dates_as_text",
        text,
        f"write the right one as `{key}`, and take the column out of `columns` or declare its type",
    )


def reason(
    facts: ColumnFacts | None, kind: str, doubt: Doubtful | None, written: str | None
) -> str:
    """What tells that a column is of its type.

    Args:
        facts: Of its values, where they were looked at.
        kind: The type.
        doubt: What reading has left in doubt.
        written: How its texts are written, where that says more.
    """
    if doubt is not None:
        return doubt.text
    if facts is not None and not facts.values:
        return "no value"
    if written:
        return written
    if facts is not None and (text := facts.text) is not None:
        if text.padded and text.integers == facts.values:
            return "codes: digits with zeros before them"
        if text.powers and text.powers + text.integers == facts.values:
            return "codes such as 1E5"
        if text.integers == facts.values:
            return "whole numbers too long for 64 bits"
        if facts.distinct == facts.values and facts.rows > 1:
            return "texts, all different"
    return _of_kind(kind)


def _of_kind(kind: str) -> str:
    plain = {
        "VARCHAR": "texts", "BOOLEAN": "true and false", "DATE": "dates", "FLOAT": "numbers", "DOUBLE": "numbers",
        "TIMESTAMP": "points in time", "TIMESTAMP WITH TIME ZONE": "points in time with a zone", "BLOB": "bytes",
        "TINYINT": "whole numbers", "SMALLINT": "whole numbers", "INTEGER": "whole numbers", "BIGINT": "whole numbers",
    }  # fmt: skip
    if kind in plain:
        return plain[kind]
    if kind.startswith("DECIMAL"):
        return "decimal numbers"
    if kind.endswith("[]"):
        return "lists"
    if kind.startswith("FLOAT["):
        return f"vectors of {kind.removeprefix('FLOAT[').removesuffix(']')} numbers"
    return "objects" if kind.startswith(("STRUCT", "MAP")) else "as the file says"
