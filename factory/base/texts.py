"""Words for people: lists, spans of time, and "did you mean"."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from difflib import SequenceMatcher, get_close_matches
from textwrap import fill

_LIKE_WORDS = 0.4


def one_of(choices: Iterable[object], most: int | None = None) -> str:
    """The choices as a sentence's part, in the order given: `a, b, c`; with `and 7 more` behind the first `most`."""
    found = [str(choice) for choice in choices]
    more = f" and {len(found) - most} more" if most is not None and len(found) > most else ""
    return f"{', '.join(found[:most])}{more}"


def either(choices: Sequence[str]) -> str:
    """The choices as a sentence's part that ends with `or`: `a, b or c`."""
    return " or ".join(filter(None, (", ".join(choices[:-1]), *choices[-1:])))


def closest(word: str, choices: Iterable[str], *, likeness: float = 0.6) -> str | None:
    """The choice that was probably meant, or None when none is near.

    Args:
        word: What was written; its case does not matter.
        choices: What could have been meant.
        likeness: How near a choice must be, from 0 to 1 for the very same letters.
    """
    by_lower = {choice.lower(): choice for choice in choices}
    near = get_close_matches(word.lower(), by_lower, cutoff=likeness)
    meant = (one for one in near if not _is_another_word(word.lower(), one))
    return next((by_lower[one] for one in meant), None)


def _is_another_word(word: str, choice: str) -> bool:
    """Whether two names are alike only in the words that they share: `max_drop`, `max_rise`."""
    words, others = word.split("_"), choice.split("_")
    is_path = "." in word or "." in choice
    if is_path or len(words) != len(others) or not set(words) & set(others):
        return False
    return any(
        SequenceMatcher(None, one, other).ratio() < _LIKE_WORDS
        for one, other in zip(words, others, strict=True)
    )


def did_you_mean(word: str, choices: Iterable[str], otherwise: str | None = None) -> str | None:
    """The suggestion to write the nearest choice; `otherwise` when none is near."""
    meant = closest(word, choices)
    return f"did you mean `{meant}`?" if meant else otherwise


def hint(word: str, choices: Iterable[str]) -> str:
    """The suggestion of `did_you_mean` to put behind the word, in brackets; empty when none is near."""
    suggestion = did_you_mean(word, choices)
    return f" ({suggestion})" if suggestion else ""


def quoted_if_needed(value: str) -> str:
    """A value as it is; in quotes where nobody would see otherwise what it is: blanks at an end, or nothing at all."""
    hides = value != " ".join(value.split()) or value in ("", "null") or not value.isprintable()
    return repr(value) if hides else value


def wrapped(text: str, width: int = 110) -> str:
    """A text in lines that can be read without being scrolled; its own line breaks and indents stay."""
    return "\n".join(
        fill(
            line,
            width,
            subsequent_indent=line[: len(line) - len(line.lstrip())],
            break_long_words=False,
            break_on_hyphens=False,
        )
        for line in text.splitlines()
    )


def shortened(text: str, longest: int = 60) -> str:
    """A text of which a sentence shows the beginning; three points stand for the rest."""
    return text if len(text) <= longest else f"{text[: longest - 3]}..."


def shown(value: object, longest: int = 60) -> str:
    """A value that somebody else has written, in one line for a terminal or a page.

    What would move the cursor, change colours or turn the reading direction is written as an escape.

    Args:
        value: Anything; its `str` is shown.
        longest: Characters; the rest becomes `…`.
    """
    text = str(value)
    # Escapes are longer than what they stand for, so that what is cut here is not shown anyway.
    cut = text[: longest + 1]
    safe = "".join(sign if sign.isprintable() else _escaped(sign) for sign in cut)
    return safe if len(text) <= longest and len(safe) <= 2 * longest else f"{safe[: longest - 1]}…"


def in_quotes(value: object, longest: int = 60) -> str:
    """`shown`, between quotation marks."""
    return f"'{shown(value, longest)}'"


def _escaped(sign: str) -> str:
    return sign.encode("unicode_escape").decode("ascii")


def table_cell(text: str) -> str:
    """A text as a cell of a table in Markdown."""
    return " ".join(text.split()).replace("|", "\\|")


def score_text(value: float) -> str:
    """A score with as many digits as tell it from others: `0.7123`, `11,368.1`."""
    return f"{value:,.1f}" if abs(value) >= 1000 else f"{value:.4g}"


def age(at: datetime | None, now: datetime) -> str:
    """How long ago something was, in its largest unit."""
    if at is None:
        return "-"
    seconds = max(0, int((now - at).total_seconds()))
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"
