"""Forms, which are quick, and patterns, which are exact, read columns alike."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pytest

from factory.data.sources.text_columns import Reading, TextColumns, _Guess
from factory.data.sources.text_doubts import AmbiguousDatesError
from factory.data.sources.text_forms import Writing
from factory.lake import engine

COLUMNS = 25
WRITINGS = [
    Writing(),
    Writing(decimal=","),
    Writing(thousands=","),
    Writing(thousands=".", decimal=","),
    Writing(date_format="%d/%m/%Y"),
    Writing(date_format="%Y%m%d"),
    Writing(timestamp_format="%d-%m-%Y %H:%M"),
]


class ByPatterns(TextColumns):
    """Looks at each value by patterns."""

    def _guesses(self, names: Sequence[str]) -> dict[str, _Guess]:
        return {name: _Guess(()) for name in names}


@dataclass
class Texts:
    """Texts that people, programs and nobody would write."""

    random: random.Random

    def column(self, rows: int) -> list[str | None]:
        """Values of one kind, some of another one among or after them, and nulls."""
        one, other = (self.random.choice(self.kinds()) for _ in range(2))
        share = self.random.choice([1, 1, 1, 0.95, 0.81, 0.8, 0.79, 0.5, 0.2])
        is_late, nulls = self.random.random() < 0.5, self.random.choice([0, 0, 0.3])
        return [
            None
            if self.random.random() < nulls
            else (one if (row < share * rows if is_late else self.random.random() < share) else other)()
            for row in range(rows)
        ]  # fmt: skip

    def kinds(self) -> list[Callable[[], str]]:
        """Each gives one text of a kind."""
        pick, number = self.random.choice, self.random.randint
        return [
            lambda: str(number(-1000, 10 ** number(1, 20))),
            lambda: repr(self.random.random() * 10 ** number(-20, 20)),
            lambda: self.digits(1, 5),
            lambda: f"-0{self.digits(0, 2)}",
            lambda: f"{' ' * number(0, 1)}{pick(['+', ''])}{self.digits(1, 3)}{' ' * number(0, 1)}",
            lambda: f"{self.digits(1, 2)}{pick('eE')}{self.digits(1, 3)}",
            lambda: f"{self.year()}-{self.two(12)}-{self.two(31)}",
            lambda: f"{self.year()}-{self.two(12)}-{self.two(31)}{pick(' T')}{self.time()}",
            lambda: f"{self.year()}-{self.two(12)}-{self.two(31)} {self.time()}{pick(['Z', '+02', ' UTC'])}",
            lambda: f"{self.two(12)}/{self.two(31)}/{self.year()}",
            lambda: f"{self.two(31)}/{self.two(12)}/{self.two(99)}",
            lambda: f"{self.two(31)}.{self.two(12)}.{self.year()}",
            lambda: f"{self.two(31)}-{self.two(12)}-{self.year()} {self.time()}",
            lambda: f"{number(1, 999)},{self.digits(2, 3)}",
            lambda: pick(["$3", "12%", "€ 5", "1 000", "1'000"]),
            lambda: pick(["true", "false", "TRUE", "tRue", "false "]),
            lambda: pick(["NA", "n/a", "-", "?", "inf", "-Infinity", "nan", "epoch", "", "\\N"]),
            lambda: pick(["red", "icy", "no", "12 Main St", "a1", "ü", "日本", "12:30", "1.2.3"]),
            lambda: "".join(pick("0123456789+-.,eE_ xX/:ZTinfa$%€") for _ in range(number(1, 6))),
        ]  # fmt: skip

    def digits(self, least: int, most: int) -> str:
        """So many digits."""
        return "".join(self.random.choices("0123456789", k=self.random.randint(least, most)))

    def two(self, most: int) -> str:
        """A number from 1, with or without a zero before it."""
        return f"{self.random.randint(1, most):{self.random.choice(['02', ''])}}"

    def year(self) -> str:
        """A year that a file may have."""
        return str(self.random.choice([2024, self.random.randint(1990, 2030)]))

    def time(self) -> str:
        """The time of a day."""
        second = self.random.choice(["", ":00", ":05", ":60", ":05.5", ":05,25", ":05.1234567"])
        return f"{self.random.randint(0, 24):02}:{self.random.randint(0, 59):02}{second}"


@pytest.mark.parametrize("seed", range(4))
def test_what_is_quick_reads_as_what_is_exact(tmp_path, seed):
    chance = random.Random(seed)
    rows = chance.choice([1, 3, 8, 20, 60])
    columns = {f"x{number}": Texts(chance).column(rows) for number in range(COLUMNS)}
    writing = chance.choice(WRITINGS)
    with engine.connect(tmp_path) as connection:
        table = pa.table({name: pa.array(texts, pa.string()) for name, texts in columns.items()})
        connection.register("texts", table)
        some = f"select * from texts limit {chance.choice([1, 3, rows])}"

        def read(kind: type[TextColumns]) -> dict[str, object]:
            looked = kind(connection, "select * from texts", some, writing)
            return {
                name: values(reading) for name, reading in _readings(looked, list(columns)).items()
            }

        def values(reading: Reading | str) -> object:
            if isinstance(reading, str):
                return reading
            found = connection.sql(f"select {reading.expression} from texts")
            return str(found.types[0]), list(map(repr, found.fetchall())), str(reading.doubt)

        quick, exact = read(TextColumns), read(ByPatterns)
    for name, texts in columns.items():
        assert quick[name] == exact[name], f"{writing} {some}: {texts}"


def _readings(looked: TextColumns, names: list[str]) -> dict[str, Reading | str]:
    """The readings of all columns, one by one where dates of one are refused."""
    try:
        return dict(looked.readings(names))
    except AmbiguousDatesError as error:
        if len(names) == 1:
            return {names[0]: str(error)}
        half = len(names) // 2
        return _readings(looked, names[:half]) | _readings(looked, names[half:])
