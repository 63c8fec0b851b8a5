"""`check: near_duplicates`."""

import re
from typing import Literal

from pydantic import Field

from factory.base.rules import Broken, rule
from factory.data.checks.check import CheckedRows, CheckFinding
from factory.data.checks.text_column import TextCheck, shown
from factory.data.documents.formats import missing_packages

_WORDS_TOGETHER = 3
_SHOWN_ROWS = 5
_HASHES = 128
_WORD = re.compile(r"\w+")


class NearDuplicates(TextCheck):
    """No text is nearly another one: both have most runs of three words in common; nulls and texts without words pass.

    How like two texts are is estimated by MinHash with 128 hashes, which is right to about 0.05.
    """

    check: Literal["near_duplicates"]
    likeness: float = Field(default=0.9, gt=0, lt=1)
    """The share of the runs of three words of both texts together that both have, from which they are near duplicates."""

    @rule
    def _installed(self) -> Broken:
        yield from missing_packages("`check: near_duplicates`", ("datasketch",), "check")

    def find(self, rows: CheckedRows) -> CheckFinding:
        """How many texts are nearly one that stands before them, and some pairs."""
        from datasketch import MinHash, MinHashLSH

        index = MinHashLSH(threshold=self.likeness, num_perm=_HASHES)
        before: dict[int, tuple[MinHash, str]] = {}
        sample: list[dict[str, str]] = []
        found = 0
        for number, text in enumerate(self.texts(rows)):
            runs = _runs(text)
            if not runs:
                continue
            hashes = MinHash(num_perm=_HASHES, seed=1)
            hashes.update_batch([run.encode() for run in runs])
            alike = max(
                ((hashes.jaccard(before[one][0]), one) for one in index.query(hashes)),
                default=(0.0, -1),
            )
            if alike[0] >= self.likeness:
                found += 1
                if len(sample) < _SHOWN_ROWS:
                    earlier = before[alike[1]][1]
                    sample.append({self.column: shown(text), "nearly": earlier})
                continue
            before[number] = hashes, shown(text)
            index.insert(number, hashes)
        if not found:
            return CheckFinding()
        return CheckFinding(f"{found:,} texts are nearly another one", found, tuple(sample))

    def describe(self) -> str:
        """The column and the likeness."""
        return f"near_duplicates({self.column}: {self.likeness:g})"


def _runs(text: str) -> set[str]:
    """The runs of three words of a text; a shorter text is one run."""
    words = _WORD.findall(text.lower())
    if len(words) <= _WORDS_TOGETHER:
        return {" ".join(words)} if words else set()
    return {
        " ".join(words[at : at + _WORDS_TOGETHER]) for at in range(len(words) - _WORDS_TOGETHER + 1)
    }
