"""Which types of columns have a place for every value of which others, by DuckDB's names."""

import re

_DECIMAL = re.compile(r"DECIMAL\((\d+),(\d+)\)")
_VECTOR = re.compile(r"FLOAT\[\d+\]")
_DIGITS = {"TINYINT": 3, "SMALLINT": 5, "INTEGER": 10, "BIGINT": 19}


def is_wider_number(found: str, published: str) -> bool:
    """Whether a type of numbers has a place for every number of another one, and for more."""
    return found != published and found != "TIMESTAMP" and widens(published, found)


def widens(found: str, published: str) -> bool:
    """Whether every value of one type has its place in the other."""
    if found == published:
        return True
    before, after = _digits(found), _digits(published)
    if before and after:
        return before[0] <= after[0] and before[1] <= after[1]
    if published == "DOUBLE":
        return before is not None or found == "FLOAT"
    if _VECTOR.fullmatch(found):
        return published == "FLOAT[]"
    return (found, published) == ("DATE", "TIMESTAMP")


def _digits(kind: str) -> tuple[int, int] | None:
    """How many digits a number has before and after its point; None for floats and others."""
    if kind in _DIGITS:
        return _DIGITS[kind], 0
    decimal = _DECIMAL.fullmatch(kind)
    return (int(decimal[1]) - int(decimal[2]), int(decimal[2])) if decimal else None
