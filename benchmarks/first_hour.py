"""From a messy CSV file to an answer over HTTP, on a fresh folder: three commands, and how long each takes.

`python -m benchmarks.first_hour` prints the seconds. The file is the same each time, and has a real signal in it.
"""

import argparse
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

ROWS = 2_000
MODEL = "orders.late"
MOST_SECONDS = 240
_PAUSE = 0.5
_WORDS = [
    "please",
    "ring",
    "the",
    "bell",
    "leave",
    "at",
    "door",
    "fragile",
    "gift",
    "wrapped",
    "second",
    "floor",
    "call",
    "before",
    "coming",
    "thanks",
]
_CITIES = ("Köln", "Bonn", "Essen", "Mainz")


def write_messy_csv(file: Path, rows: int = ROWS) -> None:
    """Orders as a shop's system exports them, by whose weight, service and city one can tell which come late.

    A line above the header, semicolons, decimal commas, dates with the day first, blanks and `n/a`, a running number, a
    customer's number, free text, and a column that is known only once the order has come.
    """
    chance = random.Random(7)
    lines = [
        "Export of 2024-07-01;;;;;;;;;;",
        "order_no;customer;ordered;city;amount;weight;express;items;remark;late_days;late",
    ]
    for number in range(rows):
        weight, items = chance.uniform(0.2, 30), chance.randrange(1, 9)
        is_express, city = chance.random() < 0.3, chance.choice(_CITIES)
        score = 0.12 * weight - 1.8 * is_express + 1.2 * (city == "Mainz") + 0.2 * items - 2.2
        is_late = score + chance.gauss(0, 0.7) > 0
        day = date(2023, 1, 1) + timedelta(days=chance.randrange(500))
        written = f"{weight:.2f}".replace(".", ",")
        cells = (
            str(100_000 + number),
            f"C{chance.randrange(10**6):06}",
            f"{day:%d.%m.%Y}",
            city,
            f"{chance.lognormvariate(3, 0.7):.2f}".replace(".", ","),
            chance.choices(("", "n/a", written), weights=(6, 2, 92))[0],
            "yes" if is_express else "no",
            str(items),
            " ".join(chance.choices(_WORDS, k=chance.randrange(4, 9))),
            str(chance.randrange(1, 9) if is_late else 0),
            "late" if is_late else "in time",
        )
        lines.append(";".join(cells))
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def first_hour(folder: Path) -> tuple[dict[str, float], dict[str, Any]]:
    """Go all the way in an empty folder.

    Returns:
        The seconds of each command, and what the service answered.

    Raises:
        subprocess.CalledProcessError: A command failed.
    """
    write_messy_csv(folder / "orders.csv")
    project = folder / "shop"
    seconds: dict[str, float] = {}
    with _timed(seconds, "init"):
        _factory("init", str(project), "--from", str(folder / "orders.csv"), "--target", "late")
    with _timed(seconds, "run"):
        _factory("run", MODEL, "--project", str(project))
    with _timed(seconds, "serve"), _serving(project) as address:
        answer = _asked(address)
    return seconds, answer


@contextmanager
def _timed(seconds: dict[str, float], name: str) -> Iterator[None]:
    start = time.monotonic()
    yield
    seconds[name] = time.monotonic() - start


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "factory", *arguments]


def _environment() -> dict[str, str]:
    """That of a person who has not set anything."""
    foreign = ("MLFLOW_TRACKING", "FACTORY_", "AIRFLOW")
    return {name: value for name, value in os.environ.items() if not name.startswith(foreign)}


def _factory(*arguments: str) -> None:
    subprocess.run(
        _command(*arguments),
        env=_environment(),
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@contextmanager
def _serving(project: Path) -> Iterator[str]:
    """The address of `factory serve`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = _command("serve", MODEL, "--project", str(project), "--port", str(port))
    with (project / "serve.log").open("w") as log:
        process = subprocess.Popen(command, env=_environment(), stdout=log, stderr=log)
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()


def _asked(address: str) -> dict[str, Any]:
    """What the model says about one order, as soon as it answers."""
    row = {
        "ordered": "2024-01-05", "city": "Mainz", "amount": 20.5, "weight": 25.1, "express": "no", "items": 5,
        "remark": "please leave it at the door",
    }  # fmt: skip
    body = json.dumps({"rows": [row]}).encode()
    url = f"{address}/models/{MODEL.replace('.', '/')}/predict"
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    end = time.monotonic() + MOST_SECONDS
    while True:
        try:
            with urllib.request.urlopen(request) as response:
                answer: dict[str, Any] = json.load(response)
                return answer
        except urllib.error.URLError:
            # Nothing listens yet, or the model is being loaded.
            if time.monotonic() > end:
                raise
            time.sleep(_PAUSE)


def main() -> None:
    """Go all the way, and print how long it took."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    with tempfile.TemporaryDirectory(prefix="factory-first-hour-") as folder:
        seconds, answer = first_hour(Path(folder))
    for name, value in (*seconds.items(), ("together", sum(seconds.values()))):
        print(f"{name:10} {value:6.1f} s")
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
