"""What the types of columns have in common, by their names in the lake."""

from collections.abc import Mapping, Sequence

Types = Mapping[str, str | None]
"""The type of each column, as `factory.lake.engine.canonical_type` writes it; None where it is not known."""

_WHOLE = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT")


def is_number(kind: str) -> bool:
    """Whether values of the type are numbers; true and false are none."""
    return kind in (*_WHOLE, "FLOAT", "DOUBLE") or kind.startswith("DECIMAL(")


def is_text(kind: str) -> bool:
    """Whether values of the type are texts."""
    return kind == "VARCHAR"


def is_time(kind: str) -> bool:
    """Whether values of the type are dates or points in time."""
    return kind in ("DATE", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE")


def family(kind: str) -> str:
    """What values of the type are, in a word: those of one word can be compared."""
    if is_number(kind):
        return "numbers"
    if is_time(kind):
        return "times"
    return {"VARCHAR": "text", "BOOLEAN": "true or false"}.get(kind, kind)


def class_type(kind: str) -> str | None:
    """The type of the classes that a model learns from a target's type; None where it learns none."""
    if is_number(kind):
        return "BIGINT"
    return "BOOLEAN" if kind == "BOOLEAN" else "VARCHAR" if is_text(kind) or is_time(kind) else None


def same_names(columns: Sequence[str]) -> str | None:
    """What is wrong with columns of which two have the same name, upper and lower case being the same; else None."""
    seen: dict[str, str] = {}
    for name in columns:
        if name.lower() in seen:
            return (
                f"the columns {seen[name.lower()]!r} and {name!r} have the same name: "
                "rename one (`select a.id as a_id`), leave it out (`select b.* exclude (id)`), "
                "or join with `using (id)`"
            )
        seen[name.lower()] = name
    return None
