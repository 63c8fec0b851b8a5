"""What DuckDB says against a text of SQL: of which kind it is, and which part of the text is meant."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from factory.data.sql_rules import (
    RefusedQueryError,
)

_MISSING = {"Table": "table", "Table Function": "function", "Type": "type"}
_NO_COLUMN = re.compile(
    r'Values list "(?P<table>.+)" does not have a column named "(?P<name>.+)"'
    r'|Column "(?P<side>.+)" does not exist on (?:left|right) side of join'
    r'|Column "(?P<left_out>.+)" in \S+ list not found'
)
_NO_TABLE = re.compile(r'Referenced table "(?P<name>.+)" not found!')
_NO_SCHEMA = re.compile(r'Table with name "(?P<name>.+)" does not exist because schema')


@dataclass(frozen=True)
class SqlFault:
    """One thing that is wrong with a text of SQL."""

    kind: str
    """`syntax`, `refused`, `table`, `column`, `function`, `type`, or `other`."""
    message: str
    """DuckDB's."""
    name: str = ""
    """What is not there."""
    near: tuple[str, ...] = ()
    """What there is instead."""
    start: int = 0
    """The first character that is meant, counted from 0."""
    length: int = 0
    """0 where nobody knows which part of the text is meant."""


def fault_of(error: Exception, sql: str, before: str, columns: Sequence[str] = ()) -> SqlFault:
    """What an error says, with the part of the text that it is about.

    Args:
        error: DuckDB's, told as JSON; or a refusal.
        sql: The text that the team has written.
        before: What stood before it in the query that failed.
        columns: Of the tables that are read.
    """
    if isinstance(error, RefusedQueryError):
        start, length = error.place or (0, 0)
        start, length = in_characters(sql, (start - len(before), length))
        return SqlFault("refused", str(error), "", (), start, length)
    told = _told(error)
    message = str(told["exception_message"])
    first = message.partition("\n")[0]
    place = (
        json.loads(told["location"]) if "location" in told else [int(told.get("position", 0)), 0]
    )
    start, length = in_characters(sql, (place[0] - len(before.encode()), place[1] or 1))
    if "location" not in told and "position" not in told:
        start, length = 0, 0
    kind, name, near = _kind(told, message, columns)
    if length == 0 and name:
        start, length = _named(sql, name)
    return SqlFault(kind, first, name, near, start, length)


def _kind(
    told: Mapping[str, Any], message: str, columns: Sequence[str]
) -> tuple[str, str, tuple[str, ...]]:
    """Of which kind a fault is, what is not there, and what there is instead."""
    name = str(told.get("name", ""))
    subtype = told.get("error_subtype")
    near = tuple(filter(None, re.split(", ?", str(told.get("candidates", "")))))
    if subtype == "SYNTAX_ERROR" or told["exception_type"] == "Parser":
        return "syntax", "", ()
    if subtype == "COLUMN_NOT_FOUND":
        return "column", name, tuple(dict.fromkeys((*columns, *near)))
    if subtype == "MISSING_ENTRY":
        return _MISSING.get(str(told.get("type")), "function"), name, near
    if found := _NO_COLUMN.search(message):
        return (
            "column",
            next(filter(None, (found["name"], found["side"], found["left_out"]))),
            tuple(columns),
        )
    if found := _NO_TABLE.search(message):
        return "table", found["name"], tuple(re.findall('"([^"]+)"', message)[1:])
    if found := _NO_SCHEMA.search(message):
        return "table", found["name"], ()
    return "other", "", ()


def _told(error: Exception) -> Mapping[str, Any]:
    _, _, text = str(error).partition(": ")
    try:
        told: dict[str, Any] = json.loads(text)
    except ValueError:
        return {"exception_type": "", "exception_message": text or str(error)}
    return told


def location_of(node: Mapping[str, Any]) -> tuple[int, int]:
    """Where a node of a query stands, and how long it is: in bytes."""
    return int(node.get("query_location", 0)), int(node.get("query_location_length") or 1)


def in_characters(sql: str, place: tuple[int, int]) -> tuple[int, int]:
    """A place in bytes, as DuckDB counts, in characters of the text."""
    start, length = place
    encoded = sql.encode()
    start = min(max(0, start), len(encoded))
    before = len(encoded[:start].decode(errors="ignore"))
    return before, len(encoded[start : start + length].decode(errors="ignore"))


def _named(sql: str, name: str) -> tuple[int, int]:
    """Where a name stands, if it stands once."""
    found = list(re.finditer(rf"(?<!\w){re.escape(name)}(?!\w)", sql, re.IGNORECASE))
    return (found[0].start(), len(name)) if len(found) == 1 else (0, 0)
