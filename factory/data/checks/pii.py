"""`check: pii`."""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Literal

from pydantic import Field

from factory.base.section import ListOf
from factory.data.checks.check import CheckedRows, CheckFinding
from factory.data.checks.text_column import TextCheck

PersonalKind = Literal["email", "phone", "iban", "credit_card"]

_NAMES = {
    "email": "e-mail addresses",
    "phone": "phone numbers",
    "iban": "bank accounts (IBAN)",
    "credit_card": "credit cards",
}
_LUHN_MAX = 9


class Pii(TextCheck):
    """No text has what tells a person: e-mail addresses, phone numbers, bank accounts, credit cards; nulls pass.

    It warns, unless it says otherwise, and counts: no value of a text is shown or stored. Names and addresses of houses
    are not found.
    """

    check: Literal["pii"]
    kinds: ListOf[PersonalKind] = Field(
        default=("email", "phone", "iban", "credit_card"), min_length=1
    )
    """What is looked for: `phone` numbers are found in their international form (`+49 …`); `iban` and `credit_card` by their
    check digits."""
    on_fail: Literal["halt", "warn"] = "warn"
    """`warn`: the log says how many there are, and the rows are published. `halt`: nothing is published."""

    def find(self, rows: CheckedRows) -> CheckFinding:
        """How many texts have what, and how often."""
        texts: Counter[str] = Counter()
        times: Counter[str] = Counter()
        concerned = 0
        for text in self.texts(rows):
            counts = {kind: sum(1 for _ in _FINDERS[kind](text)) for kind in self.kinds}
            here = [kind for kind, count in counts.items() if count]
            concerned += bool(here)
            texts.update(here)
            times.update(counts)
        if not concerned:
            return CheckFinding()
        said = ", ".join(
            f"{times[kind]:,} {_NAMES[kind]} in {texts[kind]:,} texts"
            for kind in self.kinds
            if texts[kind]
        )
        return CheckFinding(f"{said}; the values are not shown", concerned)

    def describe(self) -> str:
        """The column and what is looked for."""
        return f"pii({self.column}: {', '.join(self.kinds)})"


def _matches(pattern: str, holds: Callable[[str], bool] = bool) -> Callable[[str], Iterator[str]]:
    compiled = re.compile(pattern)
    return lambda text: (found[0] for found in compiled.finditer(text) if holds(found[0]))


def _is_iban(found: str) -> bool:
    """Whether the check digits of ISO 13616 are right."""
    sign = re.sub(r"\s", "", found)
    digits = "".join(str(int(letter, 36)) for letter in sign[4:] + sign[:4])
    return int(digits) % 97 == 1


def _is_credit_card(found: str) -> bool:
    """Whether the check digit is right (Luhn)."""
    digits = [int(sign) for sign in reversed(found) if sign.isdigit()]
    doubled = (2 * digit for digit in digits[1::2])
    return (
        sum(digits[::2]) + sum(two - _LUHN_MAX if two > _LUHN_MAX else two for two in doubled)
    ) % 10 == 0


_FINDERS: dict[str, Callable[[str], Iterator[str]]] = {
    "email": _matches(r"\b[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}\b"),
    "phone": _matches(r"(?<![\w+])\+[1-9](?:[ ()./-]{0,2}\d){7,14}(?!\d)"),
    "iban": _matches(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b", _is_iban),
    "credit_card": _matches(
        r"(?<!\d[ -])(?<![\d-])[3-6](?:[ -]?\d){12,18}(?![\d-])", _is_credit_card
    ),
}
