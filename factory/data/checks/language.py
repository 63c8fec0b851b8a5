"""`check: language`."""

import re
from collections import Counter
from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from factory.base.rules import Broken, rule
from factory.base.section import ListOf
from factory.base.texts import did_you_mean
from factory.data.checks.check import CheckedRows, CheckFinding, UnusableCheckError
from factory.data.checks.text_column import TextCheck, shown
from factory.data.documents.formats import missing_packages

_LOOKED_AT = 2000
_SHOWN_ROWS = 5
_SURE = 0.5
_UNKNOWN = "und"


def _check_code(value: str) -> str:
    if not re.fullmatch("[a-z]{2,3}", value):
        raise PydanticCustomError(
            "language",
            "{value} is no code of a language",
            {"value": repr(value), "advice": "write it by ISO 639: en, de, fr"},
        )
    return value


class Language(TextCheck):
    """Every text is in one of some languages; short texts pass, and those whose language cannot be told, and nulls."""

    check: Literal["language"]
    languages: ListOf[Annotated[str, AfterValidator(_check_code)]] = Field(
        min_length=1, examples=[["en", "de"]]
    )
    """Languages by their codes of ISO 639: `en`, `de`, `fr`."""
    min_characters: int = Field(default=40, ge=1)
    """Texts with fewer characters pass: nobody can tell the language of a word or two."""

    @rule
    def _installed(self) -> Broken:
        yield from missing_packages("`check: language`", ("py3langid",), "check")

    def find(self, rows: CheckedRows) -> CheckFinding:
        """How many texts are in which other languages, by their first two thousand characters."""
        from py3langid.langid import MODEL_FILE, LanguageIdentifier

        identifier = LanguageIdentifier.from_model_file(
            MODEL_FILE, norm_probs=True, min_confidence=_SURE
        )
        for name in self.languages:
            if name not in identifier.labels:
                raise UnusableCheckError(
                    f"the language {name!r} is not known: "
                    f"{did_you_mean(name, identifier.labels, 'write a code of ISO 639, such as en')}"
                )
        others: Counter[str] = Counter()
        sample: list[dict[str, str]] = []
        for text in self.texts(rows):
            if len(text.strip()) < self.min_characters:
                continue
            found, _ = identifier.classify(text[:_LOOKED_AT])
            if found in self.languages or found == _UNKNOWN:
                continue
            others[found] += 1
            if len(sample) < _SHOWN_ROWS:
                sample.append({"language": found, self.column: shown(text)})
        if not others:
            return CheckFinding()
        counts = ", ".join(f"{name} ({count:,})" for name, count in others.most_common(5))
        return CheckFinding(
            f"{others.total():,} texts are in other languages: {counts}",
            others.total(),
            tuple(sample),
        )

    def describe(self) -> str:
        """The column and the languages."""
        return f"language({self.column}: {', '.join(self.languages)})"
