"""pydantic's findings as problems in our words: what was expected, what was found, what to write."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from itertools import groupby
from typing import Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from factory.base.findings import Finding, KeyPath
from factory.base.texts import closest, did_you_mean, either, one_of, shortened
from factory.team.bases import EXTENDS
from factory.team.for_each import FOR_EACH, SECTIONS
from factory.team.misplaced import meant_section
from factory.team.trace import Place, sections_of, tags, trace, unwrap

_DEPTH_OF_ENTRIES = 3
"""How long the path of a dataset's or a model's key is."""
_EXPECTED = {
    "bool_type": "true or false",
    "date_type": "a date, such as 2024-01-31",
    "dict_type": "a mapping",
    "finite_number": "a finite number",
    "float_type": "a number",
    "int_type": "a whole number",
    "model_attributes_type": "a mapping",
    "model_type": "a mapping",
    "string_type": "text",
    "tuple_type": "a list",
    "url_type": "an address, such as https://example.org/data.csv",
}
_LIMITS = {
    "greater_than": ("above", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("below", "lt"),
    "less_than_equal": ("at most", "le"),
}


def explain(
    errors: Iterable[ErrorDetails],
    model: type[BaseModel],
    also_known: Iterable[str] = (),
    plugins: Sequence[str] = (),
) -> Iterator[Finding]:
    """The findings behind pydantic's errors.

    Args:
        errors: As `ValidationError.errors()` lists them.
        model: The model that was validated.
        also_known: Keys that the file may have at its top, and that the model has not.
        plugins: Packages that may add kinds.
    """
    placed = [
        (trace(model, error["loc"], plugins), error) for error in errors if not _follows(error)
    ]
    for _, group in groupby(placed, key=lambda item: (item[0].path, item[0].in_union)):
        members = list(group)
        if members[0][0].in_union:
            yield from _explain_union(members)
        else:
            for place, error in members:
                yield _explain_one(place, error, tuple(also_known))


def _follows(error: ErrorDetails) -> bool:
    """Whether a list is only called too short because its items are wrong."""
    if error["type"] != "too_short":
        return False
    return len(error["input"]) >= int(error["ctx"]["min_length"])


def _explain_union(members: list[tuple[Place, ErrorDetails]]) -> Iterator[Finding]:
    """One finding for all branches, or those of the branch whose outer shape did fit."""
    inside = [(place, error) for place, error in members if place.rest]
    if inside:
        for place, error in inside:
            path = (*place.path, *place.rest)
            section = place.section if len(place.rest) == 1 else None
            yield _explain_one(Place(path, section), error, ())
        return
    place, error = members[0]
    expected = list(dict.fromkeys(_expectation(error) for _, error in members))
    if "a number" in expected and "a whole number" in expected:
        expected.remove("a whole number")
    message = f"{_subject(place.path)} must be {either(expected)}, found {describe(error['input'])}"
    yield Finding("wrong_type", place.path, message, _retype(error))


def _expectation(error: ErrorDetails) -> str:
    if error["type"] == "literal_error":
        return str(error["ctx"]["expected"]).replace("'", '"')
    return _EXPECTED.get(error["type"], error["msg"])


def _explain_one(place: Place, error: ErrorDetails, also_known: tuple[str, ...]) -> Finding:
    kind, value, context = error["type"], error["input"], error.get("ctx", {})
    subject = _subject(place.path)
    if kind == "missing":
        return _missing(place)
    if kind == "extra_forbidden":
        return _unknown_key(place, value, also_known)
    if kind.startswith("union_tag"):
        return _wrong_kind(place, error)
    if kind == "literal_error":
        return _not_a_choice(place, value)
    if kind in _EXPECTED:
        return _wrong_type(place, error)
    if kind in _LIMITS:
        words, limit = _LIMITS[kind]
        message = f"{subject} must be {words} {context[limit]}, found {describe(value)}"
        return Finding("out_of_range", place.path, message)
    if kind in ("too_short", "string_too_short"):
        return Finding("empty", place.path, f"{subject} must not be empty")
    if kind == "string_too_long":
        message = f"{subject} must have at most {context['max_length']} character(s)"
        return Finding("out_of_range", place.path, message)
    if kind.startswith("url_"):
        example = "write an address such as https://example.org/data.csv"
        message = f"{subject} is no web address: {describe(value)}"
        return Finding("address", place.path, message, example)
    return _ours(place, error)


def _ours(place: Place, error: ErrorDetails) -> Finding:
    """A finding of our own validators, which say more in the error's context.

    `at` is the way from the section to what is wrong; `choices` are the words that would be right,
    `suggestion` is the word that is meant, `advice` is a sentence, and `on_key` says that the key is
    wrong, not its value. `or_at` is the way to take where `at` leads into the platform's file.
    """
    context = error.get("ctx", {})
    at = context.get("at", ())
    advice: str | None = context.get("advice")
    if context.get("suggestion"):
        advice = f"did you mean `{context['suggestion']}`?"
    elif "choices" in context:
        wrong = str(context.get("value", "")).strip("'")
        advice = did_you_mean(wrong, context["choices"], advice)
    on_key = context.get("on_key", place.on_key or not place.path)
    or_path = (*place.path, *context["or_at"]) if context.get("or_at") else None
    return Finding(error["type"], (*place.path, *at), error["msg"], advice, on_key, or_path)


def _missing(place: Place) -> Finding:
    *parent, name = place.path
    choices = get_args(place.annotation) if get_origin(place.annotation) is Literal else ()
    where = f" to {_subject(tuple(parent))}" if parent else ""
    suggestion = f"add `{name}: ...`{where}"
    if len(choices) == 1:
        suggestion = f"add `{name}: {choices[0]}`{where}"
    elif choices:
        suggestion = f"add `{name}:`{where} with one of {one_of(choices)}"
    return Finding("missing_key", place.path, f"`{name}` is missing", suggestion)


def _unknown_key(place: Place, value: object, also_known: tuple[str, ...]) -> Finding:
    known = sorted(place.section.model_fields) if place.section else []
    if len(place.path) == 1:
        known = sorted((*known, *also_known))
    name = str(place.path[-1])
    suggestion = did_you_mean(name, known)
    if len(place.path) == _DEPTH_OF_ENTRIES and place.path[0] in SECTIONS:
        known = sorted((*known, EXTENDS, FOR_EACH))
        if meant := closest(name, (EXTENDS, FOR_EACH), likeness=0.8):
            suggestion = f"did you mean `{meant}`?"
    if len(place.path) == 1 and (section := meant_section(value)):
        suggestion = f"`{name}` belongs below `{section}`: indent it more"
    if suggestion is None:
        suggestion = _misplaced(place, name) or f"known here: {one_of(known)}"
    return Finding("unknown_key", place.path, f"unknown key `{name}`", suggestion, on_key=True)


def _misplaced(place: Place, name: str) -> str | None:
    """Where a key belongs that is a level too far right, or left."""
    for depth, section in reversed(place.sections[:-1]):
        if name in section.model_fields:
            owner = _subject(place.path[:depth]) if depth else "the file"
            here = _subject(place.path[:-1])
            # Within braces nothing is indented.
            return (
                f"`{name}` belongs to {owner}, not to {here}: write it among the other keys of {owner}; on a line of its "
                "own, indent it less, as they are"
            )
    for field, info in place.section.model_fields.items() if place.section else ():
        if any(name in section.model_fields for section in sections_of(info)):
            return f"`{name}` belongs below `{field}`: write it there; on a line of its own, indent it more"
    return None


def _wrong_type(place: Place, error: ErrorDetails) -> Finding:
    value = error["input"]
    message = f"{_subject(place.path)} must be {_EXPECTED[error['type']]}, found {describe(value)}"
    meant = _without_colon(place, value) or _as_bound(place, value)
    if place.discriminator is not None:
        meant = meant or _with_kind(place, value) or _kinds(place)
    return Finding(
        "wrong_type", place.path, message, meant or _retype(error) or _as_only_key(place, value)
    )


def _wrong_kind(place: Place, error: ErrorDetails) -> Finding:
    discriminator = error["ctx"]["discriminator"].strip("'")
    choices = _kinds(place)
    value = error["input"].get(discriminator) if isinstance(error["input"], dict) else None
    if value is None:
        message = f"{_subject(place.path)} does not say its `{discriminator}`"
        named = next(iter(error["input"]), None) if isinstance(error["input"], dict) else None
        meant = _with_kind(place, named) or choices
        return Finding("unknown_kind", place.path, message, meant)
    path = (*place.path, discriminator)
    message = f"there is no `{discriminator}: {value}`"
    suggestion = did_you_mean(str(value), _known_kinds(place), choices)
    return Finding("unknown_kind", path, message, suggestion)


def _known_kinds(place: Place) -> list[str]:
    members = (unwrap(member, None)[0] for member in get_args(place.annotation))
    key = place.discriminator or ""
    return sorted(str(tag) for member in members for tag in tags(member, key))


def _kinds(place: Place) -> str:
    return f"write `{place.discriminator}:` with one of {one_of(_known_kinds(place))}"


def _with_kind(place: Place, value: object) -> str | None:
    """What is meant by the name of a kind alone, or before what belongs to it, as dbt has it: `- unique: [id]`."""
    if value not in _known_kinds(place):
        return None
    return f"write {{{place.discriminator}: {value}, ...}}, with its own keys beside it"


def _as_only_key(place: Place, value: object) -> str | None:
    """What is meant by a value in the place of a section that has one key for it: `wait: 2h`, `write: append`."""
    fields = getattr(unwrap(place.annotation, None)[0], "model_fields", {})
    if not isinstance(value, str):
        return None
    needed = [name for name, field in fields.items() if field.is_required()]
    chosen = [name for name, field in fields.items() if value in get_args(field.annotation)]
    names = needed if len(fields) == 1 or len(needed) == 1 else chosen
    return f"write {{{names[0]}: {_written(value)}}}" if len(names) == 1 else None


def _not_a_choice(place: Place, value: object) -> Finding:
    choices = get_args(place.annotation)
    message = f"{_subject(place.path)} cannot be {describe(value)}"
    suggestion = f"write {' or '.join(str(choice) for choice in choices)}"
    meant = did_you_mean(str(value), map(str, choices), suggestion)
    return Finding("not_a_choice", place.path, message, meant)


def _without_colon(place: Place, value: object) -> str | None:
    """What a mapping's only line means that has no colon: `estimator sklearn.svm.SVC`."""
    match = re.fullmatch(r"(\w+)\s+(\S.*)", value) if isinstance(value, str) else None
    if match is None:
        return None
    members = (unwrap(one, None)[0] for one in (place.annotation, *get_args(place.annotation)))
    sections = [one for one in members if isinstance(one, type) and issubclass(one, BaseModel)]
    is_key = any(match[1] in section.model_fields for section in sections)
    return f"a colon is missing: write `{match[1]}: {match[2]}`" if is_key else None


def _as_bound(place: Place, value: object) -> str | None:
    """What a number means where its lowest or highest value belongs."""
    fields = getattr(unwrap(place.annotation, None)[0], "model_fields", {})
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not {"min", "max"} <= set(fields):
        return None
    return f"write {{min: {value:g}}}, or {{max: {value:g}}} where less is better"


def _retype(error: ErrorDetails) -> str | None:
    """How to write the value that was found as the type that was expected."""
    kind, value = error["type"], error["input"]
    if value is None:
        return "write its content, or take it away"
    if kind == "string_type" and isinstance(value, (bool, int, float, date)):
        return "put it in quotes if it is text"
    if kind == "tuple_type" and isinstance(value, (str, int, float)):
        return f"write [{_written(value)}]"
    if kind == "tuple_type" and isinstance(value, dict):
        return "start each item of the list with `- `"
    if kind in ("dict_type", "model_type", "model_attributes_type"):
        return _as_mapping(value)
    if kind in ("int_type", "float_type", "bool_type", "date_type") and isinstance(value, str):
        return "take the quotes away" if _looks_like(kind, value) else _as_number(value)
    return None


def _as_mapping(value: object) -> str | None:
    if isinstance(value, list):
        return "write `name: ...` instead of `- `"
    match = re.fullmatch(r"([A-Za-z_]\w*):(\S.*)", value) if isinstance(value, str) else None
    return f"a space is missing: write `{match[1]}: {match[2]}`" if match else None


def _as_number(text: str) -> str | None:
    """How to write what people write as numbers, and YAML does not take for one."""
    if re.fullmatch(r"-?\d+,\d+", text):
        return f"write {text.replace(',', '.')}: a number has a point before its decimals"
    if match := re.fullmatch(r"(-?\d+(?:[.,]\d+)?)\s*%", text):
        return f"write {float(match[1].replace(',', '.')) / 100:g}"
    if re.fullmatch(r"\d{1,3}(?:[ ,'.]\d{3})+", text):
        return f"write {re.sub('[^0-9]', '', text)}"
    if re.fullmatch(r"-?\.?\d+(?:\.\d+)?e-?\d+", text, re.IGNORECASE):
        return "take the quotes away"
    if text in ("yes", "no", "on", "off", "True", "False"):
        return f"write {'true' if text in ('yes', 'on', 'True') else 'false'}"
    if text.lower() == "none":
        return "write null, or take the key away"
    return None


def _looks_like(kind: str, text: str) -> bool:
    if kind == "bool_type":
        return text in ("true", "false")
    read: dict[str, Callable[[str], object]] = {
        "int_type": int,
        "float_type": float,
        "date_type": date.fromisoformat,
    }
    try:
        read[kind](text)
    except ValueError:
        return False
    return True


def _subject(path: KeyPath) -> str:
    """The value in a sentence: its key, or which item of which list it is."""
    if not path:
        return "the file"
    if isinstance(path[-1], str):
        return f"`{path[-1]}`"
    return f"item {path[-1] + 1} of {_subject(path[:-1])}"


def describe(value: object) -> str:
    """A value from a file, in a sentence."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return f"the number {value}"
    if isinstance(value, date):
        return f"the date {value}"
    if isinstance(value, str):
        return f"the text {shortened(repr(value))}"
    return "a mapping" if isinstance(value, dict) else "a list"


def _written(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else shortened(str(value))
