"""In which encoding and how packed a file is that says nothing about it."""

import codecs
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_OTHERS = ("cp1252", "cp1250", "cp1251", "koi8_r", "cp1253", "cp932", "gb18030")
"""What files are in that are not in UTF-8, the most frequent first."""
_PACKED = ((b"\x1f\x8b", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd"), (b"BZh", "bz2"))
_WORD = re.compile(r"[^\W\d_]+")
_SHOWN = 3


@dataclass(frozen=True)
class Encoding:
    """The encoding of a file, and what tells so."""

    name: str
    """As Python calls it."""
    reason: str
    is_guess: bool = False
    """Whether the bytes could be in another encoding too."""


def packing(start: bytes) -> str | None:
    """How a file is packed that begins with these bytes: `gzip`, `zstd`, `bz2`, or None."""
    return next((name for sign, name in _PACKED if start.startswith(sign)), None)


def encoding_of(start: bytes) -> Encoding:
    """The encoding of the text that begins with these bytes, which may end within a sign."""
    for mark, name in _MARKS:
        if start.startswith(mark):
            return Encoding(name, "it begins with the mark of this encoding")
    if found := _without_mark(start):
        return found
    if start.isascii():
        return Encoding("utf-8", "all signs are ASCII")
    if _decoded(start, "utf-8") is not None:
        return Encoding("utf-8", "all signs are UTF-8's")
    readings = [
        (name, text) for name in _OTHERS if (text := _decoded(start, name)) is not None
    ]  # fmt: skip
    if not readings:
        return Encoding("latin-1", "no other encoding has all of its signs", is_guess=True)
    # The first of the best: `max` keeps the order of `_OTHERS`.
    name, text = max(readings, key=lambda reading: _plausible(reading[1]))
    words = _foreign_words(text)[:_SHOWN]
    like = f", in which it has {', '.join(map(repr, words))}" if words else ""
    return Encoding(name, f"it is not UTF-8; a guess{like}", is_guess=True)


def _without_mark(start: bytes) -> Encoding | None:
    """UTF-16 without a mark: every other byte of Latin text is zero."""
    even, odd = start[0::2], start[1::2]
    if len(start) < 4 or b"\0" not in start:
        return None
    for name, zeros, others in (("utf-16-le", odd, even), ("utf-16-be", even, odd)):
        if zeros.count(0) > 0.7 * len(zeros) and others.count(0) < 0.1 * len(others):
            return Encoding(name, "every other byte is zero")
    return None


def _decoded(start: bytes, name: str) -> str | None:
    try:
        return codecs.getincrementaldecoder(name)().decode(start)
    except UnicodeDecodeError:
        return None


def _foreign_words(text: str) -> Sequence[str]:
    """Words that are not of ASCII alone, each once."""
    return [word for word in dict.fromkeys(_WORD.findall(text)) if not word.isascii()]


def _plausible(text: str) -> float:
    """The share of words that people write so, less the signs that nobody writes."""
    # A letter alone says little: the euro's sign in one encoding is a letter in another.
    words = [word for word in _foreign_words(text[:100_000]) if len(word) > 1]
    signs = [sign for sign in text if not sign.isascii()]
    odd = sum(_is_odd(sign) for sign in signs)
    natural = sum(map(_is_natural, words)) / len(words) if words else 0.5
    return natural - odd / max(len(signs), 1)


def _is_odd(sign: str) -> bool:
    """Controls, signs of boxes, half-width Japanese, and what no encoding gives a meaning."""
    return unicodedata.category(sign) in ("Cc", "Co", "Cn") or 0x2500 <= ord(sign) < 0x25A0 or (
        0xFF61 <= ord(sign) <= 0xFF9F
    )  # fmt: skip


def _is_natural(word: str) -> bool:
    scripts = {unicodedata.name(sign, "?").partition(" ")[0] for sign in word}
    is_cased = word.islower() or word.isupper() or word.istitle() or word.lower() == word.upper()
    # Words of Latin letters have some of ASCII among them: three others together are of another script.
    is_one_script = len(scripts) == 1 and not (
        scripts == {"LATIN"} and re.search(r"[^\x00-\x7f]{3}", word)
    )
    return is_cased and is_one_script
