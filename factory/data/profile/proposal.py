"""The YAML of a dataset that reads what was looked at, with its columns and checks that hold today."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from factory.base.secrets import secret_in_text
from factory.base.section import as_name
from factory.base.texts import shown
from factory.data.profile.facts import ColumnFacts
from factory.data.profile.suspicions import Suspicion
from factory.data.sources.text_dialect import OPEN

_DOUBTFUL = frozenset({"dates_as_text", "numbers_as_text", "missing_as_number", "missing_as_text"})
"""What may turn out to have other values than it seems."""
_CLASSES = 20
"""Up to how many different texts are all accepted values."""
_LEVELS = 5
"""Up to how many different whole numbers are."""
_ROWS_A_VALUE = 10
"""How often each value comes at least, on average, for all of them to be known."""
_BOUNDS = 12
"""How many columns get bounds of their own."""
_WIDTH = 96


@dataclass(frozen=True)
class Described:
    """What the YAML is made of."""

    source: Mapping[str, Any]
    """The section `source`."""
    columns: Mapping[str, str]
    """Column to type."""
    facts: Sequence[ColumnFacts]
    suspicions: Sequence[Suspicion]
    hints: Mapping[str, str]
    """What to say beside a column's type."""
    is_whole: bool
    """Whether all rows were looked at."""
    notes: Sequence[str] = ()
    """What to say about the source."""
    questions: Mapping[str, str] = field(default_factory=dict)
    """What a person has to decide, by field of the source, whose value is `?` until then."""


def dataset_name(text: str) -> str:
    """The name of a dataset made of a file's or another name."""
    name = as_name(text)
    if name:
        return name
    return as_name(f"data_{text}") or "data"


def team_file(described: Described, team: str, name: str) -> str:
    """A whole team file.

    Args:
        described: What was found.
        team: The team's name, and the file's.
        name: The dataset's.
    """
    described, names = _renamed(described)
    lines = [
        "version: 1",
        f"team: {team}  # = the file's name: configs/{team}.yaml",
        f"owner: {team}@example.org  # who answers for it",
        "datasets:",
        f"  {flow(name)}:",
        *(f"    # {note}" for note in described.notes),
        *_source_lines(described.source, described.questions),
        *_transform_lines(names),
        "    columns:",
        *_column_lines(described),
        "    checks:",
        *(f"      - {check}" for check in _checks(described)),
    ]
    return "\n".join(lines) + "\n"


def _renamed(described: Described) -> tuple[Described, dict[str, str]]:
    """The same with names that a team file can have for columns that have others, and these by the old ones.

    Checks take away blanks around a name, and keys that begin with two underscores are reserved.
    """
    known = {name.lower() for name in described.columns}
    names: dict[str, str] = {}
    for name in described.columns:
        plain = name.strip()
        plain = plain.lstrip("_") if plain.startswith("__") else plain
        if plain != name and plain and plain.lower() not in known and _can_be_written(plain):
            names[name] = plain
            known.add(plain.lower())
    if not names:
        return described, {}
    return (
        replace(
            described,
            columns={names.get(name, name): kind for name, kind in described.columns.items()},
            suspicions=[
                replace(one, column=names.get(one.column, one.column))
                for one in described.suspicions
            ],
            facts=[replace(one, name=names.get(one.name, one.name)) for one in described.facts],
            hints={names.get(name, name): hint for name, hint in described.hints.items()},
        ),
        names,
    )


def _transform_lines(names: Mapping[str, str]) -> list[str]:
    """The transform that renames columns."""
    if not names:
        return []
    pairs = ", ".join(f"{_identifier(name)} as {_identifier(new)}" for name, new in names.items())
    query = {"type": "sql", "query": f"select * rename ({pairs}) from source"}  # noqa: S608
    return ["    transforms:", f"      - {flow(query)}"]


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _source_lines(source: Mapping[str, Any], questions: Mapping[str, str]) -> list[str]:
    line = f"    source: {flow(dict(source))}"
    if len(line) <= _WIDTH and not questions:
        return [line]
    return [
        "    source:",
        *(f"      {flow(key)}: {flow(value)}" for key, value in source.items()),
        *(f'      {key}: "{OPEN}"  # {text}' for key, text in questions.items()),
    ]


def _column_lines(described: Described) -> list[str]:
    written = {
        name: f"      {flow(name)}: {flow(kind)}" for name, kind in described.columns.items()
    }
    width = min(max((len(line) for line in written.values()), default=0), 40)
    lines = []
    for name, line in written.items():
        hint, start = described.hints.get(name), line.ljust(width)
        room = max(_WIDTH - len(start) - 4, 30)
        lines.append(f"{start}  # {shown(hint, room)}" if hint else line)
    return lines


def _checks(described: Described) -> Iterator[str]:
    """Each check as one line of YAML."""
    facts = [column for column in described.facts if _can_be_named(column.name)]
    count = facts[0].rows if facts else 0
    if described.is_whole and count >= 4:
        yield flow({"check": "row_count", "min": _rounded_down(count / 2), "on_fail": "warn"})
    if complete := [column.name for column in facts if not column.nulls and column.rows]:
        yield _wrapped({"check": "not_null", "columns": complete})
    identifiers = {one.column for one in described.suspicions if one.kind == "identifier"}
    for name in _unique(facts, identifiers, described):
        yield flow({"check": "unique", "columns": [name]})
    doubtful = {one.column for one in described.suspicions if one.kind in _DOUBTFUL}
    yield from _of_values(facts, identifiers, doubtful)


def _unique(
    facts: Sequence[ColumnFacts], identifiers: set[str], described: Described
) -> Iterator[str]:
    if not described.is_whole:
        return
    for column in facts:
        # A text that never repeats so far may do so tomorrow, unless it has one word.
        if column.name in identifiers and column.distinct == column.values == column.rows:
            yield column.name


def _of_values(
    facts: Sequence[ColumnFacts], identifiers: set[str], doubtful: set[str]
) -> Iterator[str]:
    bounded = 0
    for column in facts:
        if column.name in identifiers or column.distinct < 2:
            continue
        if pattern := _pattern(column):
            yield flow({"check": "matches", "column": column.name, "pattern": pattern})
        elif column.name not in doubtful and (values := _accepted(column)):
            yield _wrapped({"check": "accepted_values", "column": column.name, "values": values})
        elif (bounds := _bounds(column)) and bounded < _BOUNDS:
            bounded += 1
            yield flow({"check": "between", "column": column.name, **bounds})


def _accepted(column: ColumnFacts) -> list[Any]:
    """All values of a column, where they are few and come often."""
    is_class = column.kind in ("TINYINT", "SMALLINT", "INTEGER", "BIGINT")
    most = _CLASSES if column.is_text else _LEVELS if is_class else 0
    if not 2 <= column.distinct <= most or column.values < _ROWS_A_VALUE * column.distinct:
        return []
    values = [value for value, _ in column.top]
    if is_class:
        # Of years there is a new one each year.
        are_years = 1900 <= column.minimum <= column.maximum <= 2100
        return [] if are_years else sorted(int(value) for value in values)
    # Texts are shown and kept as far as 100 characters.
    if len(values) < column.distinct or not all(_can_be_written(value) for value in values):
        return []
    return sorted(values)


def _pattern(column: ColumnFacts) -> str | None:
    """The pattern of a code that always has as many digits."""
    text = column.text
    if text is None or not text.padded or text.integers != column.values or text.surrounded:
        return None
    if text.shortest != text.longest:
        return "^[0-9]+$" if all(value.isdigit() for value, _ in column.top) else None
    return (
        f"^[0-9]{{{text.shortest}}}$" if all(value.isdigit() for value, _ in column.top) else None
    )


def _bounds(column: ColumnFacts) -> dict[str, Any]:
    """Bounds that follow from what a number is, not from the rows that happen to be there."""
    if not column.is_number or column.infinite or column.minimum is None or column.minimum < 0:
        return {}
    if column.kind in ("FLOAT", "DOUBLE") and column.maximum <= 1:
        return {"min": 0, "max": 1}
    return {"min": 0}


def _can_be_named(name: str) -> bool:
    """Whether a check can name a column: it takes away blanks around a name, and fills in templates."""
    return bool(name) and _can_be_written(name)


def _can_be_written(text: str) -> bool:
    is_plain = text.isprintable() and len(text) < 100 and "{{" not in text and "{%" not in text
    return is_plain and text == text.strip() and not secret_in_text(text)


def _rounded_down(number: float) -> int:
    """With one digit that is not zero: 171 becomes 100."""
    digits = 10 ** int(math.log10(max(number, 1)))
    return int(number // digits * digits)


def _wrapped(check: Mapping[str, Any]) -> str:
    """A check whose list goes into lines of its own where one line would be long."""
    line = flow(dict(check))
    if len(line) <= _WIDTH:
        return line
    [(key, items)] = [(key, value) for key, value in check.items() if isinstance(value, list)]
    lines = [f"{name}: {flow(value)}" for name, value in check.items() if name != key]
    current = f"{key}: ["
    for number, item in enumerate(map(flow, items), 1):
        end = "]" if number == len(items) else ","
        if len(current) + len(item) > _WIDTH - 10:
            lines.append(current.rstrip())
            current = "  "
        current += f"{item}{end} "
    return "\n        ".join([*lines, current.rstrip()])


def flow(value: Any) -> str:
    """A value as YAML in one line."""
    import yaml

    if isinstance(value, dict):
        return "{" + ", ".join(f"{flow(key)}: {flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(flow, value)) + "]"
    if isinstance(value, str) and value == "":
        return '""'
    # Within a list, so that what would end a value there is in_quotes.
    is_plain = not isinstance(value, str) or value.isprintable()
    # Other readers of YAML take `04109` for a number, where this one does not.
    is_number_like = isinstance(value, str) and re.fullmatch(
        r"[-+.0-9][-+.,:_0-9a-fA-FxXoO]*", value
    )
    text: str = yaml.safe_dump(
        [value],
        default_flow_style=True,
        width=float("inf"),
        allow_unicode=is_plain,
        default_style="'" if is_plain and is_number_like else None if is_plain else '"',
    )
    return text.strip()[1:-1].strip()


def comment(text: str) -> str:
    """A text as the comment of one line."""
    return re.sub(r"\s+", " ", shown(text, 200))
