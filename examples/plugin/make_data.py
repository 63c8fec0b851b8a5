"""Write data/houses.db, made-up houses that the example learns from."""

import random
import sqlite3
from contextlib import closing
from pathlib import Path

DISTRICTS = {"harbour": 1.3, "hills": 1.0, "station": 0.8}


def main() -> None:
    """Write 300 houses, the same ones each time."""
    chance = random.Random(7)  # noqa: S311 - no secret
    houses = []
    for _ in range(300):
        district, factor = chance.choice(list(DISTRICTS.items()))
        area = chance.uniform(40, 200)
        houses.append((district, area, area * factor * 3_000 * chance.uniform(0.9, 1.1)))
    file = Path(__file__).with_name("data") / "houses.db"
    file.parent.mkdir(exist_ok=True)
    file.unlink(missing_ok=True)
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("create table houses (district text, area real, price real)")
        database.executemany("insert into houses values (?, ?, ?)", houses)


if __name__ == "__main__":
    main()
